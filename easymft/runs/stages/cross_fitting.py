"""After training: each training text answered by models that did not learn from it, by folds."""

from typing import Any

import keras
import numpy as np
import pyarrow as pa

from easymft import files
from easymft.methods.cross_fitting import answer_held_out
from easymft.methods.evaluation import predictions_table
from easymft.methods.folds import folds
from easymft.runs.run import Run
from easymft.runs.stages.records import PartRecord


def cross_fit(run: Run) -> dict[str, Any]:
    """Write the answers to all training texts, from which `evaluate` finds the rules of answering.

    Every fold is a part of the stage with a marker of its own; a killed stage loses the fold that
    it was at.
    """
    number = run.config.answers.folds
    if number is None:
        raise ValueError("`answers.folds` asks for no cross-fitting")
    for fold, part in enumerate(folds(run.task, number)):
        marker = f"cross_fit-{fold}"
        if run.folder.is_done(marker) and run.folder.facts(marker)["folds"] == number:
            continue
        record = PartRecord(run, marker, f"fold {fold + 1} of {number}")
        # Every fold draws as if it were the first of its process, however often that was killed.
        keras.utils.set_random_seed(run.config.seed)
        tables = [
            predictions_table(run.data.corpus, rows, answers, by, np.full(len(rows), "train"))
            for by, (rows, answers) in answer_held_out(part, run.backbone, record).items()
        ]
        files.write_parquet(run.folder.cross_fitted(fold), pa.concat_tables(tables))
        run.mark_done(marker, {"folds": number})
        record.discard()
    return {"folds": number}
