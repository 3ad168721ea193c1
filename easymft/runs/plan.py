"""What a run would do: `--dry_run`."""

import time
from dataclasses import dataclass

import numpy as np

from easymft.data.corpus.parts import UNLABELED, Splits, joined_rows
from easymft.data.corpus.validation_report import Report
from easymft.models import TextEmbedder
from easymft.models.inference import predict
from easymft.runs.run import Run


@dataclass(frozen=True)
class Plan:
    """The size of a run.

    Attributes:
        report: What checking the data found.
        steps: Training steps per phase and domain.
        texts_seen: Training texts of all phases and epochs together.
        texts_predicted: Texts of all predictions together: for typicalities, curves and results.
        text_seconds: Time that the encoder takes to predict a text.
    """

    report: Report
    steps: dict[str, list[int]]
    texts_seen: int
    texts_predicted: int
    text_seconds: float

    @property
    def minutes(self) -> float:
        """Estimate of the time for training and predicting; starting and reports come on top."""
        # The gradients of a step take about twice what its predictions do.
        return (3 * self.texts_seen + self.texts_predicted) * self.text_seconds / 60

    def lines(self) -> list[str]:
        """Return the plan as text."""
        phases = [
            f"{name}: {sum(steps):,} steps ({' + '.join(map(str, steps))})"
            for name, steps in self.steps.items()
        ]
        return [
            *self.report.lines(),
            "",
            *phases,
            f"training texts seen: {self.texts_seen:,}; predicted: {self.texts_predicted:,}",
            f"estimated time: about {max(self.minutes, 1):.0f} min",
        ]


def plan(run: Run, text_seconds: float | None = None) -> Plan:
    """Read the data and time one batch; trains nothing and writes nothing to the run folder.

    Args:
        run: The run.
        text_seconds: What the plan of another run with the same encoder found: no batch is timed.
    """
    data = run.data
    splits, _, report = data.checked_splits()
    train = splits["train"]
    per_domain = np.bincount(data.corpus.codes("domain")[train], minlength=data.num_domains)
    mixed, own = run.method.phases(run.config.meta_fine_tune, run.config.fine_tune)
    steps, adapted = _adaptation(run, splits)
    seen, scored = adapted, len(train) if run.method.uses_typicality else 0
    predicted = scored
    evaluated = sum(len(splits[name]) for name in run.config.evaluate_on)
    if run.method.has_encoder and not run.method.trains_encoder:
        predicted += len(train) + 2 * evaluated  # by the shared head and by the domains' own
    for name, phase, parts in (
        ("meta_fine_tune", mixed, [len(train)]),
        ("fine_tune", own, [len(train)] if run.has_parts else per_domain.tolist()),
    ):
        if phase is not None:
            steps[name] = [phase.steps(count) for count in parts]
            seen += phase.epochs * sum(parts)
            # What a phase leaves predicts every text once.
            predicted += evaluated
            if phase.validation_freq:
                predicted += phase.epochs // phase.validation_freq * len(splits["dev"])
    if run.method.self_trains:
        steps["self_train"], texts, looked_at = _self_training(run, splits)
        seen, predicted = seen + texts, predicted + looked_at
    if run.method.uses_typicality and run.config.mft.scores_by_task:
        # Plain mixing for the epochs of both phases: of all texts, or of all but a fold, each time.
        epochs = sum(phase.epochs for phase in (mixed, own) if phase is not None)
        cut = run.config.mft.typicality_from == "cross_fitted"
        seen += epochs * len(train) * (run.config.mft.typicality_folds - 1 if cut else 1)
    if (folds := run.config.answers.folds) is not None:
        # Each trains once more, without its own texts, and answers those by every phase's model.
        seen += (folds - 1) * (seen - adapted)
        predicted += (folds - 1) * scored + len(train) * (2 - (mixed, own).count(None))
    if text_seconds is None and run.method.has_encoder:
        text_seconds = _seconds_per_text(run, train)
    return Plan(report, steps, seen, predicted, text_seconds or 0.0)


def _adaptation(run: Run, splits: Splits) -> tuple[dict[str, list[int]], int]:
    """Return the steps of the encoder's adaptation, if there is one, and texts seen in it."""
    if "adapt" not in run.stages():
        return {}, 0
    phase, texts = run.config.adapt.phase(), len(joined_rows(splits, ("train", UNLABELED)))
    return {"adapt": [phase.steps(texts)]}, phase.epochs * texts


def _self_training(run: Run, splits: Splits) -> tuple[list[int], int, int]:
    """Return the steps of every round, training texts seen in all, and texts looked at."""
    settings, phase = run.config.self_train, run.config.meta_fine_tune
    unlabeled, labeled = len(splits.get(UNLABELED, ())), len(splits["train"])
    texts = settings.labeled_repeats * labeled + round(settings.share * unlabeled)
    # The gate does the mixed phase and all rounds once more for every fold.
    folds = settings.folds if settings.gate == "cross_fit" else 0
    rounds = (folds + 1) * settings.rounds
    mixed, _ = run.method.phases(phase, run.config.fine_tune)
    first = folds * labeled * (mixed.epochs if mixed else 0)
    steps = [settings.epochs * -(-texts // phase.batch_size)] * rounds
    return steps, first + rounds * settings.epochs * texts, rounds * (unlabeled + labeled)


def _seconds_per_text(run: Run, rows: np.ndarray) -> float:
    """Return what the encoder takes for a text of usual length."""
    tokens = run.data.tokens
    embedder = TextEmbedder(run.new_classifier())
    by_length = rows[np.argsort(tokens.lengths[rows], kind="stable")]
    usual = by_length[len(by_length) // 2 :][:32]
    predict(embedder, "warm-up", tokens, usual)
    start = time.monotonic()
    predict(embedder, "timing", tokens, usual)
    return (time.monotonic() - start) / len(usual)
