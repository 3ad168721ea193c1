"""What a run folder holds, as the plain values that reports are made of."""

from typing import Any

from easymft import files
from easymft.runs.untrained_run import UntrainedRun


def summary(run: UntrainedRun) -> dict[str, Any]:
    """Recipe, versions, facts of the finished stages, metrics, answers, diagnostics, case study."""
    folder = run.folder
    return {
        "config": run.config.to_dict(),
        "versions": folder.versions(),
        "method": run.method.title,
        "folder": str(folder.path),
        "stages": {name: folder.facts(name) for name in run.stages() if folder.is_done(name)},
        "metrics": files.read_json(folder.metrics) if folder.metrics.exists() else None,
        "answers": files.read_json(folder.answers) if folder.answers.exists() else None,
        "diagnostics": (
            files.read_json(folder.diagnostics) if folder.diagnostics.exists() else None
        ),
        "case_study": _case_study(run),
    }


def _case_study(run: UntrainedRun) -> list[dict[str, Any]]:
    if not run.folder.typicality.exists():
        return []
    from easymft.methods.typicality import case_study  # starts Keras

    return case_study(run.folder.typicality, run.data.corpus, run.config.case_study)
