"""What a stored precision changes in the answers of a finished run's models.

    python -m tests.benchmarks.precision --run runs/amazon/mix/seed-1

Every model of the run answers its test texts, with its encoder in each `export.precision`. Prints a
row each: accuracy, how many texts get another class than in float32, and by how much the
probability of that class changes at most. Size and speed: `tests.benchmarks.serving`.
"""

from pathlib import Path

import numpy as np
from absl import app, flags

from easymft import files
from easymft.config.loading import config_from_dict
from easymft.devices import start_up
from easymft.export.precision import in_precision
from easymft.methods.evaluation import class_probabilities
from easymft.report.markdown import plain_table
from easymft.runs.run import Run

_RUN = flags.DEFINE_string("run", None, "Folder of a finished run that kept its models.")
PRECISIONS = ("float32", "bfloat16", "int8")


def main(argv: list[str]) -> None:
    start_up.start()
    run = Run(config_from_dict(files.read_json(Path(_RUN.value) / "config.json")))
    tokens, answers = run.data.tokens, {precision: [] for precision in PRECISIONS}
    labels = []
    for name, domain in run.models().items():
        rows = run.data.rows_of("test", domain)
        labels.append(tokens.labels[rows])
        for precision, found in answers.items():
            model = in_precision(run.load(name), precision)
            found.append(class_probabilities(model, f"{name}, {precision}", tokens, rows))
    table = [["precision", "texts", "accuracy", "other classes", "largest change"]]
    right, exact = np.concatenate(labels), np.concatenate(answers["float32"])
    given = exact.argmax(axis=1)
    for precision, found in answers.items():
        own = np.concatenate(found)
        changed = np.abs(own - exact)[np.arange(len(given)), given].max()
        classes = own.argmax(axis=1)
        accuracy = f"{100 * (classes == right).mean():.2f}"
        others = str(int((classes != given).sum()))
        table.append([precision, f"{len(right):,}", accuracy, others, f"{changed:.3f}"])
    print(plain_table(table))


if __name__ == "__main__":
    app.run(main)
