"""The meta-learner with small parts of each domain beside it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from easymft.layers import DomainAdapters
from easymft.layers.checks import check, check_choice
from easymft.layers.types import Tensor, Tensors
from easymft.models import adapter_sites, raw_texts, training
from easymft.models.optimizer import WarmupLinearDecay, adamw
from easymft.models.text_classifier import TextClassifier

Parts = Literal["lora", "bias", "head"]
PARTS = ("lora", "bias", "head")


@keras.saving.register_keras_serializable(package="easymft")
class AdaptedTextClassifier(TextClassifier):
    """Text classifier that every domain shares, but for small parts of each domain's own.

    Encoder and class head are the meta-learner's and stay as they are; what is learned are tables
    with a row a domain (`DomainAdapters`), from which each text takes its own domain's, so that a
    batch may mix domains. To a text of an unknown domain, or without `"domain"` among its inputs,
    exactly nothing is added: the meta-learner answers, bit for bit (but where a compiler fuses bias
    and GELU in half precision, which shifts keep it from). Inputs and outputs are those of
    `TextClassifier`.

    Args:
        backbone: The meta-learner's encoder; frozen here.
        num_classes: Number of classes.
        num_domains: Number of domains that have parts, K.
        parts: What a domain has of its own beside a class head: `"lora"`, low-rank factors beside
            `kernels`; `"bias"`, shifts of the encoder layers' biases and normalizations; `"head"`,
            nothing else.
        rank: Inner size of the factors.
        kernels: Which projections have factors: some of `"query"`, `"value"`, `"feed_forward"`.
        seed: Seed of the factors that training begins with.
        **kwargs: See `TextClassifier`.

    Example:
    ```python
    model = meta_learner.fine_tune({"text": texts, "domain": domains}, labels, parts="lora")
    model = model.add_domain(new_texts, new_labels)
    ```

    Reference: see `easymft.layers.DomainAdapters`.
    """

    num_domains: int
    training_name = "fine-tuning"

    def __init__(
        self,
        backbone: keras.Model,
        num_classes: int,
        num_domains: int,
        parts: Parts = "lora",
        rank: int = 4,
        kernels: Sequence[str] = ("query", "value"),
        seed: int | None = None,
        **kwargs: Any,
    ):
        # === Checks ===
        check_choice("parts", parts, PARTS)
        known = set(kernels) <= set(adapter_sites.KERNELS) and len(kernels) > 0
        check(known, "kernels", f"some of {', '.join(adapter_sites.KERNELS)}", kernels)

        # === Layers ===
        super().__init__(backbone, num_classes, num_domains, seed=seed, **kwargs)
        for shared in (self.backbone, *self.class_heads):
            shared.trainable = False
        sites = _sites(backbone, parts, kernels)
        self._sites = tuple(sites.values())
        adapter_sites.open_to_adapters(self._sites)
        kind = {"kernel": "low_rank" if parts == "lora" else "none", "shift": parts == "bias"}
        seeds = [None if seed is None else seed + number for number in range(len(sites))]
        self.adapters = [
            _adapters(site, num_domains, rank=rank, name=name, seed=own, **kind)
            for (name, site), own in zip(sites.items(), seeds, strict=True)
        ]
        self.head_adapters = _adapters(self.class_head, num_domains, kernel="full", name="head")

        # === Config ===
        self.parts, self.rank, self.kernels = parts, rank, tuple(kernels)

    @classmethod
    def of_meta_learner(
        cls, meta_learner: TextClassifier, num_domains: int, **kwargs: Any
    ) -> "AdaptedTextClassifier":
        """Put parts beside a meta-learner, on its own encoder, which is frozen by that.

        Args:
            meta_learner: A plain classifier.
            num_domains: Number of domains that have parts.
            **kwargs: `parts`, `rank`, `kernels`, `seed`; and `label_sets` and `domains`, where its
                own domains are not the meta-learner's.
        """
        config = TextClassifier.get_config(meta_learner)
        config |= {"backbone": meta_learner.backbone, "preprocessor": meta_learner.preprocessor}
        if num_domains != meta_learner.num_domains:
            config["domains"] = None
        model = cls(**{**config, "name": None, "num_domains": num_domains, **kwargs})
        model.copy_heads(meta_learner)
        return model

    @property
    def reads_domains(self) -> bool:
        return True

    def encode(self, inputs: Tensors, training: bool | None = None) -> Tensors:
        pairs = list(zip(self._sites, self.adapters, strict=True))
        with adapter_sites.adding(pairs, _domains(inputs)):
            return super().encode(inputs, training)

    def _first_logits(self, embedding: Tensor, inputs: Tensors) -> Tensor:
        return self.class_head(embedding) + self.head_adapters(embedding, _domains(inputs))

    def tables(self) -> dict[str, np.ndarray]:
        """Return what the domains have of their own, `(num_domains, ...)` float32 by name."""
        return {name: ops.convert_to_numpy(table) for name, table in self._tables().items()}

    def set_tables(self, tables: Mapping[str, np.ndarray]) -> None:
        """Set what `tables` gave."""
        own = self._tables()
        check(own.keys() == tables.keys(), "tables", f"named {', '.join(own)}", list(tables))
        for name, table in own.items():
            table.assign(tables[name])

    def _tables(self) -> dict[str, keras.Variable]:
        layers = (*self.adapters, self.head_adapters)
        return {f"{layer.name}/{v.name}": v for layer in layers for v in layer.weights}

    def _logits(self, embedding: Tensor, inputs: Tensors, training: bool | None) -> Tensor:
        return super()._logits(embedding, {"domain": _domains(inputs), **inputs}, training)

    def add_domain(
        self,
        inputs: Any,
        labels: Any,
        learning_rate: float = 1e-4,
        name: str | None = None,
        **fit: Any,
    ) -> "AdaptedTextClassifier":
        """Return the model with one more domain, trained on its texts; the others stay the same.

        Args:
            inputs: Texts or what `call` takes, of the new domain alone, whose code is `num_domains`
                as it was; the domain that they name is not read.
            labels: `(texts,)`.
            learning_rate: Peak for texts, else throughout, of AdamW.
            name: Of the new domain; needed where the others have names.
            **fit: Of `keras.Model.fit`, such as `epochs` and `batch_size`.
        """
        known = self.domains
        check((name is None) == (known is None), "name", "given where domains have names", name)
        new = self._beside(1)
        if raw_texts.is_raw(inputs):
            given = raw_texts.read(inputs, labels)
            inputs, labels, count = given.columns, given.labels, len(given)
            training.compile_to_learn(new, adamw(WarmupLinearDecay(learning_rate)))
        else:
            # Without other kernels, by which answers of the encoder that is shared would round.
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            new.compile(adamw(learning_rate), loss, jit_compile=False)
            count = len(inputs["token_ids"])
        own_domain = {"domain": np.zeros(count, "int32")}
        new.fit({**inputs, **own_domain}, labels, **{"verbose": 0, **fit})
        own, added = self.tables(), new.tables()
        names = None if known is None or name is None else [*known, name]
        return self._with_tables({n: np.concatenate([own[n], added[n]]) for n in own}, names)

    def remove_domain(self, domain: int | str) -> "AdaptedTextClassifier":
        """Return the model without a domain; the codes of those after it are one less.

        Args:
            domain: Its code, or its name where domains have names.
        """
        code = int(self._reader.domains.codes([domain])[0])
        names = self.domains
        kept = None if names is None else names[:code] + names[code + 1 :]
        return self._with_tables({n: np.delete(t, code, 0) for n, t in self.tables().items()}, kept)

    def _with_tables(
        self, tables: Mapping[str, np.ndarray], names: Sequence[str] | None
    ) -> "AdaptedTextClassifier":
        model = self._beside(len(next(iter(tables.values()))), names)
        model.set_tables(tables)
        return model

    def _beside(
        self, num_domains: int, names: Sequence[str] | None = None
    ) -> "AdaptedTextClassifier":
        """Return a model with fresh parts of so many domains, beside the same meta-learner."""
        check(self.label_sets is None, "label_sets", "None where domains come and go", "some")
        return self.of_meta_learner(self, num_domains, domains=names, **self._kind())

    def on(self, meta_learner: TextClassifier) -> "AdaptedTextClassifier":
        """Return a model with the same parts beside a meta-learner of the same encoder."""
        model = self.of_meta_learner(meta_learner, self.num_domains, **self._kind())
        model.set_tables(self.tables())
        return model

    def _kind(self) -> dict[str, Any]:
        names = ("parts", "rank", "kernels", "seed")
        return {name: getattr(self, name) for name in names}

    def meta_learner(self) -> TextClassifier:
        """Return the classifier that the parts stand beside, on the same encoder."""
        return TextClassifier.from_classifier(self)

    def merged(self, domain: int | None) -> TextClassifier:
        """Return a plain classifier, on a copy of the encoder, with one domain's parts in it.

        Args:
            domain: `None`: none's, which is the meta-learner.
        """
        config = {**TextClassifier.get_config(self), "preprocessor": None, "name": None}
        model = TextClassifier.from_config(config)
        model.backbone.set_weights(self.backbone.get_weights())
        model.copy_heads(self)
        if domain is None:
            return model
        twin = {**adapter_sites.projections(model.backbone, tuple(adapter_sites.KERNELS))}
        twin = {**twin, **adapter_sites.shifted(model.backbone), "head": model.class_head}
        for layer in (*self.adapters, self.head_adapters):
            own = {v.name: ops.convert_to_numpy(v)[domain] for v in layer.weights}
            site = twin[layer.name]
            if "factor_a" in own:
                own["kernels"] = own["factor_a"] @ own["factor_b"]
            for name, added in own.items():
                if not name.startswith("factor"):
                    is_shift = name == "shifts"
                    variable = adapter_sites.shift_of(site) if is_shift else site.kernel
                    variable.assign_add(added.reshape(variable.shape))
        return model

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "parts": self.parts,
            "rank": self.rank,
            "kernels": list(self.kernels),
        }


def _sites(
    backbone: keras.Model, parts: Parts, kernels: Sequence[str]
) -> dict[str, keras.layers.Layer]:
    """Return what domains have something of their own beside in the encoder, by name."""
    if parts == "lora":
        return adapter_sites.projections(backbone, kernels)
    return adapter_sites.shifted(backbone) if parts == "bias" else {}


def _adapters(site: keras.layers.Layer, num_domains: int, **kind: Any) -> DomainAdapters:
    """Return what domains add to a layer, built."""
    before, after = (math.prod(axes) for axes in adapter_sites.shapes(site))
    layer = DomainAdapters(num_domains, after, dtype=site.dtype_policy, **kind)
    layer.build((None, None, before))
    return layer


def _domains(inputs: Tensors) -> Tensor:
    """Return the texts' domains, -1 where the inputs name none."""
    if "domain" in inputs:
        return inputs["domain"]
    return ops.full((ops.shape(inputs["token_ids"])[0],), -1, dtype="int32")
