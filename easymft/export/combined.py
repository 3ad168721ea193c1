"""Several trained models behind one question: which class, given the text and its domain?"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from easymft.models import MultiTaskTextClassifier, TextClassifier

META_LEARNER = "meta-learner"


class DomainModels:
    """Answers every row of a batch with the model of the row's domain.

    A domain's own model answers for it; the meta-learner answers for domains that have none and
    for unknown ones. Without a meta-learner the mean of all models answers for those; a
    `MultiTaskTextClassifier` answers for an unknown domain with the mean of its heads.

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
        import tensorflow as tf

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
        # Traced once and shared by all signatures.
        self._runs = [
            tuple(
                tf.function(lambda tokens, domain, f=f, m=m: f(m, tokens, domain), autograph=False)
                for f in (_probabilities, _embedding)
            )
            for m in self.models
        ]

    def probabilities(self, tokens: dict[str, Any], domain: Any) -> Any:
        """Class probabilities.

        Args:
            tokens: The backbone's inputs, each `(batch, length)`.
            domain: `(batch,)` int32, the domain's code, or the number of domains for an unknown.

        Returns:
            `(batch, classes)` float32.
        """
        return self._route([run for run, _ in self._runs], tokens, domain, self.num_classes)

    def embedding(self, tokens: dict[str, Any], domain: Any) -> Any:
        """E(x), `(batch, hidden)` float32; arguments as of `probabilities`."""
        return self._route([run for _, run in self._runs], tokens, domain, self.hidden_dim)

    def _route(self, runs: list[Callable], tokens: dict[str, Any], domain: Any, width: int) -> Any:
        import tensorflow as tf

        if len(runs) == 1:
            return runs[0](tokens, domain)
        choice = tf.gather(self._choice, domain)
        everyone = tf.equal(choice, len(runs))
        rows, answers = [], []
        for number, run in enumerate(runs):
            mine = tf.where(tf.equal(choice, number) | everyone)[:, 0]
            rows.append(mine)
            answers.append(
                tf.cond(
                    tf.size(mine) > 0,
                    lambda run=run, mine=mine: run(
                        {name: tf.gather(value, mine) for name, value in tokens.items()},
                        tf.gather(domain, mine),
                    ),
                    lambda: tf.zeros([0, width]),
                )
            )
        # The mean of one answer is that answer, bit for bit.
        return tf.math.unsorted_segment_mean(
            tf.concat(answers, 0), tf.concat(rows, 0), tf.shape(domain)[0]
        )


def _probabilities(model: TextClassifier, tokens: dict[str, Any], domain: Any) -> Any:
    import tensorflow as tf

    if not isinstance(model, MultiTaskTextClassifier):
        return tf.nn.softmax(model({**tokens, "domain": domain}, training=False)["logits"])
    heads = model.class_head(_embedding(model, tokens, domain))
    heads = tf.nn.softmax(tf.reshape(heads, [-1, model.num_domains, model.num_classes]))
    heads = tf.concat([heads, tf.reduce_mean(heads, 1, keepdims=True)], 1)
    return tf.gather(heads, domain, axis=1, batch_dims=1)


def _embedding(model: TextClassifier, tokens: dict[str, Any], domain: Any) -> Any:
    return model.embed(tokens, training=False)
