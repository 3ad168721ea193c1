"""A pre-trained encoder with one class head: the plain baseline, and the base of the others."""

import copy
from collections.abc import Sequence
from typing import Any, Literal, Self

import keras
from keras import ops

from easymft.devices import replicas
from easymft.layers import MaskedMeanPooling
from easymft.layers.checks import check, check_choice, check_integer
from easymft.layers.types import Tensor, Tensors
from easymft.models.backbone import encoder
from easymft.models.label_sets import LabelSets, allowed_classes, within
from easymft.models.metrics import DomainMetrics
from easymft.models.preset_task import PresetTask
from easymft.models.seeded_model import SeededModel


@keras.saving.register_keras_serializable(package="easymft")
class TextClassifier(SeededModel, PresetTask):
    """Text classifier: token ids in, `{"logits": (batch, num_classes)}` float32 out.

    Inputs are a dict of `"token_ids"`, `"padding_mask"` and, where the backbone has them,
    `"segment_ids"`, each `(batch, length)`, and `"domain"` `(batch,)` int32, which only metrics and
    the domain-aware subclasses read. `compile`, `fit`, `evaluate`, `predict` and `save` are
    Keras's own; `sample_weight` weights the label loss.

    Args:
        backbone: A keras-hub encoder; see `easymft.models.load_backbone`.
        num_classes: Number of classes.
        num_domains: Number of domains, for metrics per domain. `None`: no such metrics.
        embedding: What stands for the text, E(x): `"mean"`, the mean over its tokens in the last
            layer, or `"pooler"`, the encoder's pooled output.
        dropout: Dropout rate before the class head.
        loss_normalization: `"batch"` divides the weighted loss by the batch size; `"nonzero"` by
            the number of non-zero sample weights, as EasyTransfer does.
        label_sets: For each domain the classes that it has, `None` for all, where not every domain
            has all; the others' logits are -1e9 for its texts. See `easymft.models.label_sets`.
        later_classes: How many of the classes, the last, came after training. Each has a head of
            its own, so that the others' logits stay the same, bit for bit; see
            `easymft.models.new_classes`.
        preprocessor: Makes the inputs of texts; see `easymft.models.load_preprocessor`. `None`:
            the model takes token ids alone.
        labels: Names of the classes, in the order of their codes.
        domains: Names of the domains, in the order of their codes.
        pairs: Whether a text has a second one, for `export`; `fit` of texts sees to it.
        seed: Seed of what is random in `fit` of texts: their order and, where it compiles the
            model, dropout.

    Example:
    ```python
    model = TextClassifier.from_preset("bert_base_en_uncased", labels=["bad", "fair", "good"])
    model.fit(["dull prose", "a gripping plot"], ["bad", "good"], epochs=3)
    model.predict(["a gripping read"])
    ```
    """

    # By which Keras finds the loss, weight and metrics of an output: `loss={"logits": ...}`.
    output_names = ("logits",)

    def __init__(
        self,
        backbone: keras.Model,
        num_classes: int,
        num_domains: int | None = None,
        embedding: Literal["mean", "pooler"] = "mean",
        dropout: float = 0.1,
        loss_normalization: Literal["batch", "nonzero"] = "batch",
        label_sets: LabelSets | None = None,
        later_classes: int = 0,
        preprocessor: Any = None,
        labels: Sequence[str] | None = None,
        domains: Sequence[str] | None = None,
        pairs: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ):
        # === Layers ===
        super().__init__(**kwargs)
        replicas.repair_keras()
        num_classes = check_integer("num_classes", num_classes)
        if num_domains is not None:
            num_domains = check_integer("num_domains", num_domains)
        later_classes = check_integer("later_classes", later_classes, 0)
        fits = later_classes < num_classes and (self.answers_any_domain or not later_classes)
        check(fits, "later_classes", "fewer than all, of one head for all domains", later_classes)
        check_choice("embedding", embedding, ("mean", "pooler"))
        check_choice("loss_normalization", loss_normalization, ("batch", "nonzero"))
        self.backbone = backbone
        self.encoder = encoder(backbone, self._hidden_layers(backbone))
        if hasattr(backbone, "pooled_dense"):
            # Without a path to the loss it would only cost optimizer state and a warning a step.
            backbone.pooled_dense.trainable = embedding == "pooler"
        self.pooling = MaskedMeanPooling(dtype="float32", name="pooling")
        self.head_dropout = keras.layers.Dropout(dropout, dtype="float32", name="head_dropout")
        self.class_head = keras.layers.Dense(
            self._num_logits(num_classes - later_classes, num_domains),
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype="float32",  # softmax in half precision loses classes that are close
            name="class_head",
        )
        self.later_heads = [
            keras.layers.Dense(1, dtype="float32", name=f"later_head_{number}")
            for number in range(later_classes)
        ]
        for head in self.class_heads:
            head.build((None, backbone.hidden_dim))
        self.domain_metrics = DomainMetrics(num_domains, num_classes) if num_domains else None

        # === Config ===
        self.num_classes = num_classes
        self.num_domains = num_domains
        self.embedding = embedding
        self.dropout = dropout
        self.loss_normalization = loss_normalization
        self.label_sets = label_sets
        self.later_classes = later_classes
        self._set_task(preprocessor, labels, domains, pairs, seed)
        self.allowed = None
        if label_sets is not None:
            self.allowed = allowed_classes(label_sets, num_domains or 0, num_classes)
        self.built = True

    @classmethod
    def from_classifier(cls, other: "TextClassifier") -> "TextClassifier":
        """Make a plain classifier on the same encoder, with copies of the other's class heads."""
        config = TextClassifier.get_config(other)
        own = {"backbone": other.backbone, "preprocessor": other.preprocessor, "name": None}
        model = cls(**{**config, **own})
        model.copy_heads(other)
        return model

    def twin(self) -> Self:
        """Return a copy with weights of its own, without what only training needs.

        The optimizer's moments are not copied; the tokenizer, which nothing changes, is shared.
        """
        # A tokenizer is not made of its config: the vocabulary stands elsewhere.
        twin = type(self).from_config({**self.get_config(), "preprocessor": None})
        twin.set_weights(self.get_weights())
        twin._reader, twin.rules = self._reader, self.rules
        return twin

    @property
    def class_heads(self) -> list[keras.layers.Dense]:
        """The class head, and those of classes that came later."""
        return [self.class_head, *self.later_heads]

    def copy_heads(self, other: "TextClassifier") -> None:
        """Give the class heads the weights of another classifier's, as many as that has."""
        for own, given in zip(self.class_heads, other.class_heads, strict=False):
            own.set_weights(given.get_weights())

    def _hidden_layers(self, backbone: keras.Model) -> tuple[int, ...]:
        """Return the encoder layers whose outputs the model reads besides the last."""
        return ()

    def _num_logits(self, num_classes: int, num_domains: int | None) -> int:
        return num_classes

    def input_signature(self, length: int | None = None) -> dict[str, keras.InputSpec]:
        # Named, or the export's inputs would be called args_0, args_0_1, ...
        signature = {
            name: keras.InputSpec(ids.dtype, (None, length), name=name)
            for name, ids in self.encoder.input.items()
        }
        if self.num_domains is not None:
            signature["domain"] = keras.InputSpec("int32", (None,), name="domain")
        return signature

    def encode(self, inputs: Tensors, training: bool | None = None) -> Tensors:
        """Run the encoder once: `{"sequence", "pooled", "hidden": [...]}`; see `encoder`."""
        tokens = {name: inputs[name] for name in self.encoder.input}
        return self.encoder(tokens, training=training)

    def embed(self, inputs: Tensors, training: bool | None = None) -> Tensor:
        """Return E(x), `(batch, hidden)` float32; of symbolic inputs a functional graph."""
        return self._embedding(self.encode(inputs, training), inputs)

    def reset_class_head(self) -> None:
        """Draw the class head anew."""
        head = self.class_head
        head.kernel.assign(head.kernel_initializer(head.kernel.shape))
        head.bias.assign(head.bias_initializer(head.bias.shape))

    def without_heads(self) -> "TextClassifier":
        """Return the classifier without what only training needs, on the same encoder."""
        return self

    @property
    def reads_domains(self) -> bool:
        return self.label_sets is not None or super().reads_domains

    def call(self, inputs: Tensors, training: bool | None = None) -> Tensors:
        embedding = self._embedding(self.encode(inputs, training), inputs)
        return {"logits": self._logits(embedding, inputs, training)}

    def _embedding(self, encoded: Tensors, inputs: Tensors) -> Tensor:
        if self.embedding == "pooler":
            return ops.cast(encoded["pooled"], "float32")
        return self.pooling(encoded["sequence"], mask=inputs["padding_mask"])

    def logits_of(self, embedding: Tensor, inputs: Tensors) -> Tensor:
        """Return the logits of texts whose E(x) `embed` gave, `(batch, num_classes)` float32."""
        return self._logits(embedding, inputs, training=False)

    def _logits(self, embedding: Tensor, inputs: Tensors, training: bool | None) -> Tensor:
        logits = self._every_logit(embedding, inputs, training)
        return logits if self.allowed is None else within(logits, self.allowed, inputs["domain"])

    def _every_logit(self, embedding: Tensor, inputs: Tensors, training: bool | None) -> Tensor:
        embedding = self.head_dropout(embedding, training=training)
        logits = self._first_logits(embedding, inputs)
        if not self.later_heads:
            return logits
        # Apart: one product for all could round the others' otherwise.
        return ops.concatenate([logits, *(head(embedding) for head in self.later_heads)], axis=-1)

    def _first_logits(self, embedding: Tensor, inputs: Tensors) -> Tensor:
        """Return the logits of the classes that there were in training."""
        return self.class_head(embedding)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """Return the compiled loss, mean(sample_weight * CE), and what a subclass adds, a scalar.

        Args:
            x: As `call` takes them.
            y: What the compiled loss takes beside logits; also as `{"logits": ...}`.
            y_pred: What `call` gives.
            sample_weight: `(batch,)` or `(batch, 1)`, or `None` for all 1.
            training: Whether a gradient is to be taken.
        """
        y, sample_weight = _of_logits(y), _of_logits(sample_weight)
        weight = self._normalized(sample_weight)
        loss = super().compute_loss(x, y, y_pred["logits"], weight, training)
        added = self.added_loss(x, y_pred, sample_weight)
        loss = loss if added is None else loss + added
        if not training:
            return loss
        return self.in_whole_batch(loss, x, ops.shape(y_pred["logits"])[0])

    def _normalized(self, sample_weight: Tensor | None) -> Tensor:
        """Return weights with which the batch's mean is the mean that `loss_normalization` asks."""
        if sample_weight is None or self.loss_normalization == "batch":
            return sample_weight
        weight = ops.cast(sample_weight, "float32")
        used = ops.sum(ops.cast(ops.not_equal(weight, 0.0), "float32"))
        # Keras divides by the batch size; this turns that into the number of used texts.
        count = ops.cast(ops.shape(weight)[0], "float32")
        return weight * replicas.total(count) / ops.maximum(replicas.total(used), 1.0)

    def added_loss(self, x: Tensors, y_pred: Tensors, sample_weight: Tensor | None) -> Tensor:
        """Return what a subclass adds to the label loss: a scalar, a Keras loss' mean; or `None`.

        Args:
            x: As `call` takes them.
            y_pred: What `call` gives.
            sample_weight: As in `compute_loss`.
        """
        return None

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Update compiled metrics on the logits, and those of domains, which are unweighted."""
        y, sample_weight = _of_logits(y), _of_logits(sample_weight)
        if self.domain_metrics is not None:
            self.domain_metrics.update_state(y, y_pred["logits"], x["domain"])
        return super().compute_metrics(x, y, y_pred["logits"], sample_weight)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            backbone=keras.saving.serialize_keras_object(self.backbone),
            num_classes=self.num_classes,
            num_domains=self.num_domains,
            embedding=self.embedding,
            dropout=self.dropout,
            loss_normalization=self.loss_normalization,
            label_sets=self.label_sets,
            later_classes=self.later_classes,
            preprocessor=keras.saving.serialize_keras_object(self.preprocessor),
            labels=self.labels,
            domains=self.domains,
            pairs=self.pairs,
            seed=self.seed,
        )
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        made = {
            # A copy, since keras-hub's preprocessors change what they are made of.
            name: keras.saving.deserialize_keras_object(copy.deepcopy(config[name]), custom_objects)
            for name in ("backbone", "preprocessor")
            if config.get(name) is not None  # earlier versions saved no preprocessor
        }
        return cls(**{**config, **made})


def _of_logits(values: Any) -> Tensor:
    """Return the array of labels or weights that may come under its output's name, or in a list."""
    arrays = keras.tree.flatten(values)
    if len(arrays) != 1:
        raise ValueError(
            'The model has one output: labels and weights are an array each, or {"logits": array}. '
            f"Received: {len(arrays)} arrays"
        )
    return arrays[0]
