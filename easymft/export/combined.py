"""Several trained models behind one question: which class, given the text and its domain?"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from easymft.config.method import META_LEARNER
from easymft.models import MultiTaskTextClassifier, TextClassifier
from easymft.models.label_sets import OUT_OF_REACH


class DomainModels:
    """Answers every row of a batch with the model of the row's domain.

    A domain's own model answers for it; the meta-learner answers for domains that have none and
    for unknown ones. Without a meta-learner the mean of all models answers for those; a
    `MultiTaskTextClassifier` answers for an unknown domain with the mean of its heads.

    An `AdaptedTextClassifier` in the meta-learner's place, and the only model, answers all rows at
    once, each with its domain's parts; its domains are the first of `domains`.

    Each model runs on its own rows only and not at all where it has none, so a batch costs what
    its rows cost, however many models there are.

    Args:
        models: Trained models by domain name, and the meta-learner under `"meta-learner"`.
        domains: All domain names, in the order of the codes in training.

    Example:
    ```python
    models = DomainModels({"meta-learner": general, "books": books}, domains=("books", "dvd"))
    models.probabilities(tokens, domain=[0, 1, 2])  # by books, general, general
    ```
    """

    def __init__(self, models: Mapping[str, TextClassifier], domains: Sequence[str]):
        strangers = [name for name in models if name not in (META_LEARNER, *domains)]
        if strangers or not models:
            raise ValueError(
                f"`models` must be named after `domains` or {META_LEARNER!r}. Received: "
                f"{list(models)} with domains={list(domains)}"
            )
        self.models = list(models.values())
        self.num_classes = self.models[0].num_classes
        self.hidden_dim = self.models[0].backbone.hidden_dim
        self.num_domains = len(domains)
        for model in self.models:
            if isinstance(model, MultiTaskTextClassifier) and model.num_domains != len(domains):
                raise ValueError(
                    "`domains` must name the domains that the multi-task model has heads for. "
                    f"Received: {len(domains)} names for {model.num_domains} heads"
                )
        # One place more than there are models: all of them, for want of a meta-learner.
        names = list(models)
        fallback = names.index(META_LEARNER) if META_LEARNER in names else len(names)
        self._choice = [names.index(d) if d in names else fallback for d in domains] + [fallback]
        self._traced: dict[int, Callable] = {}

    def probabilities(self, tokens: dict[str, Any], domain: Any) -> Any:
        """Return class probabilities.

        Args:
            tokens: The backbone's inputs, each `(batch, length)`.
            domain: `(batch,)` int32, the domain's code, or the number of domains for an unknown.

        Returns:
            `(batch, classes)` float32.
        """
        return self._route("probabilities", tokens, domain, self.num_classes)

    def embedding(self, tokens: dict[str, Any], domain: Any) -> Any:
        """Return E(x), `(batch, hidden)` float32; arguments as of `probabilities`."""
        return self._route("embedding", tokens, domain, self.hidden_dim)

    def _route(self, name: str, tokens: dict[str, Any], domain: Any, width: int) -> Any:
        import tensorflow as tf

        if len(self.models) == 1:
            return self._answer(0, tokens, domain)[name]
        choice = tf.gather(self._choice, domain)
        everyone = tf.equal(choice, len(self.models))
        rows, answers = [], []
        for number in range(len(self.models)):
            mine = tf.where(tf.equal(choice, number) | everyone)[:, 0]
            rows.append(mine)
            answers.append(
                tf.cond(
                    tf.size(mine) > 0,
                    lambda number=number, mine=mine: self._answer(
                        number,
                        {key: tf.gather(value, mine) for key, value in tokens.items()},
                        tf.gather(domain, mine),
                    )[name],
                    lambda: tf.zeros([0, width]),
                )
            )
        # The mean of one answer is that answer, bit for bit.
        return tf.math.unsorted_segment_mean(
            tf.concat(answers, 0), tf.concat(rows, 0), tf.shape(domain)[0]
        )

    def _answer(self, number: int, tokens: dict[str, Any], domain: Any) -> dict[str, Any]:
        """Return both answers of one model, by a graph that is traced once for all that ask."""
        import tensorflow as tf

        if number not in self._traced:
            function = tf.function(functools.partial(_answer, self.models[number]), autograph=False)
            specs = tf.nest.map_structure(
                lambda tensor: tf.TensorSpec([None] * tensor.shape.rank, tensor.dtype),
                (tokens, domain),
            )
            # Not by calling it, which would trace the encoder anew at the second call.
            with tf.init_scope():
                self._traced[number] = function.get_concrete_function(*specs)
        return self._traced[number](tokens, domain)


def _answer(model: TextClassifier, tokens: dict[str, Any], domain: Any) -> dict[str, Any]:
    import tensorflow as tf

    inputs = {**tokens, "domain": domain}
    embedding = model.embed(inputs, training=False)
    if not isinstance(model, MultiTaskTextClassifier):
        answers = tf.nn.softmax(model.logits_of(embedding, inputs))
        return {"embedding": embedding, "probabilities": answers}
    logits = model.class_head(embedding)
    logits = tf.reshape(logits, [-1, model.num_domains, model.num_classes])
    if model.allowed is not None:
        logits = tf.where(model.allowed[:-1], logits, OUT_OF_REACH)
    heads = tf.nn.softmax(logits)
    heads = tf.concat([heads, tf.reduce_mean(heads, 1, keepdims=True)], 1)
    answer = tf.gather(heads, domain, axis=1, batch_dims=1)
    return {"embedding": embedding, "probabilities": answer}
