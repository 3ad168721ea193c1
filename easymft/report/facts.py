"""What the words and tables of a run's reports show, as plain values."""

from typing import Any

from easymft.config.method import BY_FINE_TUNED, BY_META_LEARNER, METHODS
from easymft.report.intervals import macro_f1_interval
from easymft.report.words import counted, duration, is_number, listed, percent

KINDS = {BY_META_LEARNER: "one model for all", BY_FINE_TUNED: "one per domain"}
FEW_TEST_TEXTS, FEW_TRAINING_TEXTS = 30, 5
_STAGES = {
    "validate": "checks",
    "adapt": "adaptation",
    "typicality": "typicality",
    "meta_fine_tune": "meta fine-tuning",
    "self_train": "self-training",
    "fine_tune": "fine-tuning",
    "cross_fit": "cross-fitting",
    "evaluate": "evaluation",
    "diagnose": "diagnostics",
}

Facts = dict[str, Any]


def split_metrics(metrics: Facts | None, split: str) -> Facts:
    """Return model -> figures on the texts of a split, for the models that have some."""
    metrics = metrics or {}
    return {kind: metrics[kind][split] for kind in KINDS if split in metrics.get(kind, {})}


def test_metrics(summary: Facts) -> Facts:
    """Return model -> figures on test texts, for the models that have some."""
    return split_metrics(summary.get("metrics"), "test")


def title(summary: Facts) -> str:
    """Return the run in a few words."""
    data = summary["stages"].get("validate", {})
    return f"{summary['method']} on {data.get('corpus', summary['config']['name'])}"


def is_sample(summary: Facts) -> bool:
    """Return whether the bundled sample took the place of the corpus that was meant."""
    return bool(summary["stages"].get("validate", {}).get("is_sample"))


def overview(summary: Facts) -> list[tuple[str, str]]:
    """Return what was run: terms and their values."""
    config, stages = summary["config"], summary["stages"]
    data, backbone = stages.get("validate", {}), config["backbone"]
    method = METHODS.get(config.get("method"), METHODS["mft"])
    encoder = f"{backbone['preset']}, {backbone['max_length']} word pieces"
    counts = data.get("counts", [])
    total = {part: sum(row[part] for row in counts) for part in ("train", "dev", "test")}
    size = ", ".join(f"{number:,} {part}" for part, number in total.items())
    domains = counted(len(data.get("domains", [])), "domain")
    classes = counted(len(data.get("labels", [])), "class", "classes")
    facts = [
        ("Method", summary["method"]),
        ("Recipe", config["name"]),
        ("Data", f"{data.get('corpus', 'not read yet')}: {size} texts; {domains}, {classes}"),
        ("Backbone", encoder if method.has_encoder else ""),
        ("Seed", str(config["seed"])),
        ("Budget", _budget(config, stages) if method.trains_encoder else ""),
        ("Precision", config["precision"] if method.has_encoder else ""),
        ("Time", _times(stages)),
    ]
    return [(term, value) for term, value in facts if value]


def provenance(summary: Facts) -> list[tuple[str, str]]:
    """Return where it came from: terms and their values."""
    facts = [
        ("Data from", summary["stages"].get("validate", {}).get("origin")),
        ("Run folder", summary.get("folder")),
        ("Versions", versions(summary)),
    ]
    return [(term, value) for term, value in facts if value]


def versions(summary: Facts) -> str:
    """Return what it was made with, and on what machine."""
    return ", ".join(f"{name} {version}" for name, version in summary["versions"].items())


def highlights(summary: Facts) -> list[Facts]:
    """Return the few figures to see first: `value`, `title` and a `detail` each."""
    stages = summary["stages"]
    seconds = sum(stage.get("seconds", 0) for stage in stages.values())
    texts = sum(row["train"] for row in stages.get("validate", {}).get("counts", []))
    shown = [*_accuracy_highlights(test_metrics(summary)), *_probe_highlight(summary)]
    shown += [(f"{texts:,}", "training texts", "")] if texts else []
    shown += [(duration(seconds), "from data to results", "")] if seconds else []
    return [dict(zip(("value", "title", "detail"), entry, strict=True)) for entry in shown]


def _accuracy_highlights(tests: Facts) -> list[tuple[str, str, str]]:
    if not tests:
        return []
    *others, (kind, final) = tests.items()
    detail = "; ".join(
        f"{percent(part['average_accuracy'])} % with {KINDS[name]}" for name, part in others
    )
    average = f"{percent(final['average_accuracy'])} %"
    shown = [(average, f"average test accuracy, {KINDS[kind]}", detail)]
    present = {name: own["accuracy"] for name, own in final["domains"].items() if own["texts"]}
    if len(present) > 1:
        worst = min(present, key=present.get)
        shown.append((f"{percent(present[worst])} %", "in the worst domain", worst))
    return shown


def _probe_highlight(summary: Facts) -> list[tuple[str, str, str]]:
    probe = (summary.get("diagnostics") or {}).get("probe") or {}
    before, after = ((probe.get(moment) or {}).get("embedding") for moment in ("before", "after"))
    if not (is_number(before) and is_number(after)):
        return []
    detail = f"{percent(before)} % before; {percent(probe.get('majority'))} % by guessing"
    return [(f"{percent(after)} %", "of texts still give their domain away", detail)]


def warnings(summary: Facts) -> list[str]:
    """Return what makes the figures weak, a sentence each."""
    data = summary["stages"].get("validate", {})
    counts = data.get("counts", [])
    found = []
    if is_sample(summary):
        found.append(
            "These figures come from the small sample that ships with easymft, not from the corpus"
            " that the recipe names. They show that the program runs and nothing else."
        )
    tested = {domain: 0 for domain in data.get("domains", [])}
    for row in counts:
        tested[row["domain"]] = tested.get(row["domain"], 0) + row["test"]
    few = [f"{domain} ({texts})" for domain, texts in tested.items() if texts < FEW_TEST_TEXTS]
    if few:
        found.append(
            f"Fewer than {FEW_TEST_TEXTS} test texts in {listed(few)}: figures there are guesses."
        )
    cells = [
        f"{row['domain']} / {row['class']} ({row['train']})"
        for row in counts
        if row["train"] < FEW_TRAINING_TEXTS
    ]
    if cells:
        found.append(
            f"Fewer than {FEW_TRAINING_TEXTS} training texts in {listed(cells)}: too few to"
            " learn from."
        )
    return found


def data_notes(summary: Facts) -> list[str]:
    """Return counted facts about the data."""
    data = summary["stages"].get("validate", {})
    notes = list(data.get("notes", []))
    if data.get("leaks_dropped"):
        notes.append(f"{data['leaks_dropped']:,} texts dropped: they also stand in dev or test")
    return notes


def results(metrics: Facts | None, split: str = "test") -> Facts | None:
    """Return the table of results: `kinds` (titles) and `rows` with a cell per kind.

    Args:
        metrics: Content of `metrics.json`, if there is any.
        split: `"dev"` or `"test"`.

    Returns:
        `None` where no model has figures of that split.
    """
    found = split_metrics(metrics, split)
    if not found:
        return None
    rows = []
    for domain, figures in next(iter(found.values()))["domains"].items():
        cells = [_cell(part["domains"].get(domain, {"texts": 0})) for part in found.values()]
        rows.append(
            {"name": domain, "texts": figures["texts"], "cells": cells, "is_summary": False}
        )
    for name, accuracy, macro_f1 in (
        ("average", "average_accuracy", "average_macro_f1"),
        ("worst domain", "worst_domain_accuracy", None),
    ):
        none = {"accuracy_interval": None, "macro_f1_interval": None}
        cells = [
            {"accuracy": part.get(accuracy), "macro_f1": part.get(macro_f1), **none}
            for part in found.values()
        ]
        rows.append({"name": name, "texts": None, "cells": cells, "is_summary": True})
    return {"kinds": [KINDS[kind] for kind in found], "rows": rows}


def case_study(summary: Facts) -> list[Facts]:
    """Return domains with their `low` and `high` texts."""
    domains: dict[str, Facts] = {}
    for entry in summary.get("case_study") or []:
        domain = domains.setdefault(
            entry["domain"], {"name": entry["domain"], "low": [], "high": []}
        )
        domain[entry["typicality"]].append(entry)
    return list(domains.values())


def _cell(figures: Facts) -> Facts | None:
    if not figures["texts"]:
        return None
    return {**figures, "macro_f1_interval": macro_f1_interval(figures["confusion"])}


def _budget(config: Facts, stages: Facts) -> str:
    """Return epochs and their settings; a method's only phase runs for the epochs of both."""
    phases = {
        title: config[name]
        for name, title in (("meta_fine_tune", "all domains mixed"), ("fine_tune", "per domain"))
        if name in stages
    }
    both = config["meta_fine_tune"]["epochs"] + config["fine_tune"]["epochs"]
    parts = []
    if adapted := stages.get("adapt"):
        losses = [entry["loss"] for entry in adapted["history"]]
        parts.append(
            f"encoder adapted to {counted(adapted['texts'], 'text')} without their labels:"
            f" {counted(config['adapt']['epochs'], 'epoch')}, loss of hidden tokens"
            f" {losses[0]:.2f} to {losses[-1]:.2f} nats"
        )
    for title, phase in phases.items():
        kind = phase.get("parts", "all")
        if kind != "all" and len(phases) > 1:
            own = {name: value for name, value in phase["adapters"].items() if value is not None}
            title, phase = f"per domain ({kind}, beside the meta-learner)", {**phase, **own}
        epochs = both if len(phases) == 1 else phase["epochs"]
        parts.append(
            f"{title}: {epochs} epoch{'s' if epochs != 1 else ''}, batch {phase['batch_size']},"
            f" learning rate {phase['learning_rate']:g}"
        )
    if rounds := stages.get("self_train"):
        own = config["self_train"]
        parts.append(
            f"self-training: {rounds['kept']} of {counted(rounds['asked'], 'round')},"
            f" {counted(own['epochs'], 'epoch')} each"
        )
    if kept := stages.get("fine_tune", {}).get("keep_meta_learner"):
        parts.append(f"{listed(kept)}: the meta-learner, since dev does as well without")
    if bare := stages.get("fine_tune", {}).get("without_labels"):
        parts.append(f"{listed(bare)}: the meta-learner, for want of labels")
    return "; ".join(parts)


def _times(stages: Facts) -> str:
    times = {title: stages[name]["seconds"] for name, title in _STAGES.items() if name in stages}
    parts = ", ".join(f"{title} {duration(seconds)}" for title, seconds in times.items())
    return f"{duration(sum(times.values()))}: {parts}" if times else ""
