"""The stages of a run: each is a function of the `Run` that returns facts for its marker."""

from collections.abc import Callable
from typing import Any

from easymft.runs.run import Run
from easymft.runs.stages.adaptation import adapt
from easymft.runs.stages.cross_fitting import cross_fit
from easymft.runs.stages.results import diagnose, evaluate, export, report
from easymft.runs.stages.self_training import self_train
from easymft.runs.stages.training import fine_tune, meta_fine_tune, typicality, validate

STAGES: dict[str, Callable[[Run], dict[str, Any]]] = {
    stage.__name__: stage
    for stage in (
        validate,
        adapt,
        typicality,
        meta_fine_tune,
        self_train,
        fine_tune,
        cross_fit,
        evaluate,
        diagnose,
        report,
        export,
    )
}
