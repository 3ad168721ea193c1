"""An exported model in this process."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from easymft.errors import InputError
from easymft.export.version_folder import COMBINED, DOMAINS_FILE, LABELS_FILE, versions

EXTRAS = {"abstain": bool, "familiarity": float, "nearest_domain": str}
"""What exports of this release answer beside label and score, and those of earlier ones do not."""


class Predictor:
    """An exported model in this process.

    Args:
        export: As for `easymft.export.predict.predict_file`.

    Attributes:
        inputs: Names of the model's inputs: `text`, maybe `text_pair`, maybe `domain`.
        labels: Class names in the order of the probabilities.
        domains: Domain names that training knew.
        extras: Those of `EXTRAS` that it answers.
    """

    def __init__(self, export: str | Path):
        import tensorflow as tf
        import tensorflow_text  # noqa: F401 (registers the tokenizer's ops)

        folder = find_version(Path(export))
        try:
            self._model = tf.saved_model.load(str(folder))
            self._signature = self._model.signatures["serving_default"]
            given = self._signature.structured_input_signature[1]
            classes = self._signature.structured_outputs["probabilities"].shape[1]
            self.labels = _names(folder / LABELS_FILE)
            self.domains = _names(folder / DOMAINS_FILE)
        except (OSError, ValueError, LookupError, RuntimeError, tf.errors.OpError) as error:
            raise _damaged(folder, str(error).split("\n")[0]) from None
        if classes != len(self.labels):
            raise _damaged(folder, f"{len(self.labels)} labels for {classes} classes")
        outputs = self._signature.structured_outputs
        self.extras = [name for name in EXTRAS if name in outputs]
        self.inputs = [name for name in ("text", "text_pair", "domain") if name in given]

    def __call__(self, texts: Mapping[str, Sequence[str]]) -> dict[str, list[Any]]:
        """Return `label`, `score`, those of `EXTRAS` that there are, and `probability_<label>`.

        Args:
            texts: By input name.
        """
        import tensorflow as tf

        answers = self._signature(
            **{
                # Half a surrogate pair is no text that a graph could take.
                name: tf.constant([value.encode("utf-8", "replace") for value in values])
                for name, values in texts.items()
            }
        )
        probabilities = answers["probabilities"].numpy()
        return {
            "label": _values(answers["label"].numpy()),
            "score": answers["score"].numpy().tolist(),
            **{name: _values(answers[name].numpy()) for name in self.extras},
            **{
                f"probability_{label}": probabilities[:, code].tolist()
                for code, label in enumerate(self.labels)
            },
        }


def in_batches(
    predictor: Predictor,
    columns: Mapping[str, Sequence[str]],
    batch_size: int,
    on_batch: Callable[[int], Any] | None = None,
) -> dict[str, list[Any]]:
    """Predict texts in batches of one domain and similar length; answers in the texts' own order.

    Args:
        predictor: The model.
        columns: By input name, all of one length; other columns may be among them.
        batch_size: Texts run at once.
        on_batch: Is told the size of every batch that is done.
    """
    rows = len(columns["text"])
    domains = columns.get("domain", [""] * rows)
    pairs = columns.get("text_pair", [""] * rows)
    known = frozenset(predictor.domains)
    order = sorted(
        range(rows),
        # Unknown domains are answered by one model.
        key=lambda row: (
            domains[row] if domains[row] in known else "",
            len(columns["text"][row]) + len(pairs[row]),
        ),
    )
    answers: dict[str, list[Any]] = {}
    for start in range(0, rows, batch_size):
        batch = order[start : start + batch_size]
        texts = {name: [columns[name][row] for row in batch] for name in predictor.inputs}
        for name, values in predictor(texts).items():
            answers.setdefault(name, []).extend(values)
        if on_batch is not None:
            on_batch(len(batch))
    places = np.argsort(order)
    return {name: [values[place] for place in places] for name, values in answers.items()}


def _values(column: np.ndarray) -> list[Any]:
    values = column.tolist()
    return [value.decode() for value in values] if column.dtype == object else values


def _names(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").split("\n")[:-1]


def _damaged(folder: Path, reason: str) -> InputError:
    message = f"is no whole exported model ({reason}); remove it and export the run again"
    return InputError(message, file=folder)


def find_version(export: Path) -> Path:
    """Return the SavedModel that the folder of an export, a model or a version stands for.

    Raises:
        InputError: There is none.
    """
    if (export / "saved_model.pb").is_file():
        return export
    # This first: models are named after domains, which may be numbers as versions are.
    for folder in (export / COMBINED, export):
        if numbers := versions(folder):
            return folder / str(numbers[-1])
    if export.is_dir():
        models = sorted(path.name for path in export.iterdir() if versions(path))
        message = f"holds no exported model {COMBINED!r}"
        message += f"; name one of {', '.join(models)}" if models else ""
    else:
        message = "no such folder; export the run first"
    raise InputError(message, file=export)
