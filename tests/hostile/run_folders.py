"""Run folders that cannot be written, are another run's, or were damaged between two runs."""

from collections.abc import Callable
from pathlib import Path

from tests.hostile.base import GOOD, settings
from tests.hostile.case import RECIPE, Case

RUN = "runs/hostile/mix/seed-1"
VALIDATE = (*RECIPE, "--mode", "validate")
TRAIN = (*RECIPE, "--mode", "meta_fine_tune")
EVALUATE = (*RECIPE, "--mode", "evaluate")


def _write(name: str, content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(content)


def _halve(name: str) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return damage


def _partial(folder: Path) -> None:
    """A state of training that a full disk cut short."""
    checkpoint = folder / RUN / "checkpoints/meta-learner.partial"
    checkpoint.mkdir(parents=True)
    (checkpoint / "state.weights.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))


def _in(folder: str) -> Callable[[Path], None]:
    return settings(output_dir=folder)


_good = settings()

CASES = [
    Case(f"run folder: {name}", build, says, argv, first, damage)
    for name, build, says, argv, first, damage in (
        (
            "inside a file",
            _in("texts.csv"),
            ("cannot be written", "output_dir"),
            RECIPE,
            (),
            None,
        ),
        ("where nobody may write", _in("/proc/runs"), ("cannot be written",), RECIPE, (), None),
        ("a name of 5,000 letters", _in("a" * 5000), ("cannot be written",), RECIPE, (), None),
        (
            "of another recipe",
            _good,
            ("this folder holds a run with other settings (`dropout` was 0.1, now 0.5); take",),
            (*VALIDATE, "--set", "dropout=0.5"),
            (VALIDATE,),
            None,
        ),
        (
            "a stage without those before it",
            _good,
            ("`--mode`: stage `evaluate` needs `validate` first",),
            EVALUATE,
            (),
            None,
        ),
        (
            "a stage that the method lacks",
            _good,
            ("`--mode`: method `mix` has no stage `typicality`",),
            (*RECIPE, "--mode", "typicality"),
            (),
            None,
        ),
        (
            "prediction without an export",
            _good,
            ("no such folder; export the run first",),
            (*RECIPE, "--mode", "predict", "--input", "texts.csv"),
            (),
            None,
        ),
        (
            "a place for labels where nobody may write",
            _good,
            ("/proc/a.csv: `--output`: cannot be written", "choose another place"),
            (*RECIPE, "--mode", "predict", "--input", "texts.csv", "--output", "/proc/a.csv"),
            (),
            None,
        ),
        (
            "a folder in place of a file of labels",
            _good,
            ("bert: must end in one of .csv, .tsv, .jsonl, .parquet",),
            (*RECIPE, "--mode", "predict", "--input", "texts.csv", "--output", "bert"),
            (),
            None,
        ),
        (
            "an unknown format of texts",
            _good,
            ("flag --input_format=xml", "csv"),
            (*RECIPE, "--mode", "predict", "--input_format", "xml"),
            (),
            None,
        ),
        (
            "changed data",
            _good,
            (f"{RUN}: the data changed since this run began; `--restart` begins anew",),
            TRAIN,
            (VALIDATE,),
            _write("texts.csv", GOOD.replace("cafe", "good")),
        ),
        (
            "half its recipe",
            _good,
            (f"{RUN}/config.json: is damaged",),
            RECIPE,
            (VALIDATE,),
            _halve(f"{RUN}/config.json"),
        ),
        (
            "half a marker",
            _good,
            (f"{RUN}/stages/validate.json: is damaged",),
            TRAIN,
            (VALIDATE,),
            _halve(f"{RUN}/stages/validate.json"),
        ),
        (
            "half its splits",
            _good,
            (f"{RUN}/splits.json: is not a readable splits file",),
            TRAIN,
            (VALIDATE,),
            _halve(f"{RUN}/splits.json"),
        ),
        (
            "half a state of training",
            _good,
            (f"{RUN}/checkpoints/meta-learner.partial", "damaged"),
            TRAIN,
            (VALIDATE,),
            _partial,
        ),
    )
]
CASES += [
    Case(
        "run folder: half a checkpoint",
        settings(meta_fine_tune={"epochs": 1}),
        (f"{RUN}/checkpoints/meta-learner.keras", "damaged"),
        EVALUATE,
        (VALIDATE, TRAIN),
        _halve(f"{RUN}/checkpoints/meta-learner.keras"),
        trains=True,
    ),
    Case(
        "run folder: half its typicalities",
        settings(method="mft_tw"),
        ("runs/hostile/mft_tw/seed-1/typicality.parquet", "damaged"),
        TRAIN,
        (VALIDATE, (*RECIPE, "--mode", "typicality")),
        _halve("runs/hostile/mft_tw/seed-1/typicality.parquet"),
    ),
]
