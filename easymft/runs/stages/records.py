"""The trainings of one part of a stage, such as a fold."""

from easymft.methods.checkpoint import Checkpoint, History
from easymft.methods.trainer import Trainer, TrainingTexts
from easymft.runs.run import Run


class PartRecord:
    """Runs trainings one after the other, each with a curve and a state of its own; a `Record`.

    The state of one is dropped when the next begins: a killed part begins with its first again.

    Args:
        run: The run.
        name: Of the part; curves and states are named after it.
        note: Said of the part where its trainings are announced.
    """

    def __init__(self, run: Run, name: str, note: str):
        self._run, self._name, self._note = run, name, note
        self._states: list[Checkpoint] = []

    def __call__(
        self, trainer: Trainer, title: str, texts: TrainingTexts, of: int | str | None = None
    ) -> History:
        """Run one training; see `easymft.methods.phases.Record`."""
        self.discard()
        name = f"{self._name}-{len(self._states) + 1}"
        self._states.append(self._run.checkpoint(name))
        return self._run.record(trainer, f"{title}, {self._note}", texts, name)

    def discard(self) -> None:
        """Drop all states."""
        for state in self._states:
            state.discard()
