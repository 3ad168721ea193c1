"""What lets a classifier learn from texts without labels too, which it labels itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from easymft.devices import replicas
from easymft.errors import InputError, listed
from easymft.layers import TypicalityWeighting
from easymft.models import pseudo_labels, raw_texts
from easymft.models.pseudo_labels import ChooseBy, PseudoLabels, WeightBy
from easymft.models.raw_texts import RawTexts
from easymft.models.text_reader import Domains
from easymft.models.text_task import TextTask
from easymft.progress import progress_bars


class SelfTrainingTask(TextTask):
    """A model of token ids that also learns from texts without labels.

    Reference: see `easymft.models.pseudo_labels`.
    """

    def self_train(
        self,
        x: Any,
        y: Any,
        unlabeled: Any,
        *,
        start: Sequence[np.ndarray] | None = None,
        rounds: int = 1,
        share: float = 0.5,
        choose_by: ChooseBy = "typicality",
        weight_by: WeightBy = "none",
        labeled_repeats: int = 3,
        **fit: Any,
    ) -> list[PseudoLabels]:
        """Learn from texts without labels too; call it when the model has learned the labels.

        In every round the model labels them, and `fit` trains it on the labelled texts and on the
        surest of every domain and class. Where `adapt` scored typicality before, it scores these
        texts anew, by the encoder that labelled them. No gate drops a round that harms, as it may
        with very few labels: compare by `evaluate` on other texts.

        Args:
            x: Texts with labels; see `fit`.
            y: Their classes.
            unlabeled: Texts without, with the same columns.
            start: Weights that every round begins with, as `get_weights()` gave them before the
                model first learned: what it learns then is not bound to its own mistakes. `None`:
                it goes on from where it stands.
            rounds: How many.
            share: Of each domain's texts without labels; the classes stand to each other as among
                its labelled texts.
            choose_by: What is sure: "typicality", by how much a text is more typical of its class
                than of any other, in the model's encoder; or "confidence", its probability.
            weight_by: What a chosen text counts by, at a mean of 1.
            labeled_repeats: How often an epoch sees each labelled text.
            **fit: Of `fit`: `epochs`, `batch_size` and others.

        Returns:
            What each round learned from; `rows` are places in `unlabeled`.

        Raises:
            InputError: A text, label or domain cannot be used.
        """
        given, bare, learned = raw_texts.read(x, y), raw_texts.read(unlabeled), []
        for _ in range(rounds):
            guesses, counts, domains = self._guesses(given, bare)
            chosen = pseudo_labels.choose(guesses, domains, counts, choose_by, share)
            texts = _columns(given, bare, chosen.rows.tolist(), labeled_repeats)
            known = list(given.labels or ()) * labeled_repeats
            labels = known + chosen.labels.tolist()
            if self._typicality is not None:
                self.adapt(texts, labels, **self._scoring)
            if start is not None:
                self.set_weights(start)
            weights = np.concatenate([np.ones(len(known)), chosen.weights(weight_by)])
            self.fit(texts, labels, sample_weight=weights, **fit)
            learned.append(chosen)
        return learned

    def _guesses(
        self, given: RawTexts, bare: RawTexts
    ) -> tuple[PseudoLabels, np.ndarray, np.ndarray]:
        """Return what the model makes of texts without labels, with their places among these.

        And numbers of labelled texts, `(domains, classes)`; and the domains of the others, `(n,)`.
        """
        texts = RawTexts(_columns(given, bare, range(len(bare))))
        sizes, needed = (self.num_domains or 1, self.num_classes), self._domains_of_training()
        labeled, rows = np.split(np.arange(len(texts)), [len(given)])
        layer = TypicalityWeighting(*sizes, **self._scoring)
        with (
            replicas.scope_of(self),
            self._reader.tokens(texts, False, needed) as tokens,
            progress_bars(False),
        ):
            tokens.labels[labeled] = self._reader.labels.codes(given.labels or ())
            if self.num_domains is None:
                tokens.domains[:] = 0  # There is one.
            guesses = pseudo_labels.label(self, tokens, labeled, rows, layer)
            counts = pseudo_labels.cell_counts(tokens, labeled, *sizes)
            places = PseudoLabels(**{**vars(guesses), "rows": rows - len(given)})
            return places, counts, np.array(tokens.domains[rows])

    def _domains_of_training(self) -> Domains:
        return "free" if self.num_domains is None else "known"


def _columns(
    given: RawTexts, bare: RawTexts, rows: Sequence[int], repeats: int = 1
) -> dict[str, list[Any]]:
    """Return the columns of labelled texts, repeated, and of some without labels.

    Raises:
        InputError: The two have not the same columns.
    """
    if set(given.columns) != set(bare.columns):
        found = f"{listed(bare.columns)} instead of {listed(given.columns)}"
        message = f"must have the columns that the labelled texts have. Received: {found}"
        raise InputError(message, field="unlabeled")
    return {
        role: values * repeats + [bare.columns[role][row] for row in rows]
        for role, values in given.columns.items()
    }
