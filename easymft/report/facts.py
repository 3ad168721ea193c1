"""What the words and tables of `report.html` show, as plain values."""

import math
from typing import Any

from easymft.config.method import BY_FINE_TUNED, BY_META_LEARNER
from easymft.report.intervals import macro_f1_interval

KINDS = {BY_META_LEARNER: "one model for all", BY_FINE_TUNED: "fine-tuned per domain"}
FEW_TEST_TEXTS, FEW_TRAINING_TEXTS = 30, 5
_NAMED = 6  # most domains or cells that a warning names
_STAGES = {
    "validate": "checks",
    "typicality": "typicality",
    "meta_fine_tune": "meta fine-tuning",
    "fine_tune": "fine-tuning",
    "evaluate": "evaluation",
    "diagnose": "diagnostics",
}

Facts = dict[str, Any]


def test_metrics(summary: Facts) -> Facts:
    """Model -> figures on test texts, for the models that have some."""
    metrics = summary.get("metrics") or {}
    return {kind: metrics[kind]["test"] for kind in KINDS if "test" in metrics.get(kind, {})}


def overview(summary: Facts) -> list[tuple[str, str]]:
    """What was run: terms and their values."""
    config, stages = summary["config"], summary["stages"]
    data, backbone = stages.get("validate", {}), config["backbone"]
    counts = data.get("counts", [])
    total = {part: sum(row[part] for row in counts) for part in ("train", "dev", "test")}
    size = ", ".join(f"{number:,} {part}" for part, number in total.items())
    domains = _counted(data.get("domains", []), "domain")
    classes = _counted(data.get("labels", []), "class", "classes")
    facts = [
        ("Method", summary["method"]),
        ("Recipe", config["name"]),
        ("Data", f"{data.get('corpus', 'not read yet')}: {size} texts; {domains}, {classes}"),
        ("Backbone", f"{backbone['preset']}, {backbone['max_length']} word pieces"),
        ("Seed", str(config["seed"])),
        ("Budget", _budget(config, stages)),
        ("Precision", config["precision"]),
        ("Time", _times(stages)),
    ]
    return [(term, value) for term, value in facts if value]


def provenance(summary: Facts) -> list[tuple[str, str]]:
    """Where it came from: terms and their values."""
    versions = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    facts = [
        ("Data from", summary["stages"].get("validate", {}).get("origin")),
        ("Run folder", summary.get("folder")),
        ("Versions", versions),
    ]
    return [(term, value) for term, value in facts if value]


def highlights(summary: Facts) -> list[Facts]:
    """The few figures to see first: `value`, `title` and a `detail` each."""
    tests = test_metrics(summary)
    shown = []
    if tests:
        kind, final = list(tests.items())[-1]
        other = [
            f"{_percent(part['average_accuracy'])} % with {KINDS[name]}"
            for name, part in tests.items()
            if name != kind
        ]
        shown.append(
            {
                "value": f"{_percent(final['average_accuracy'])} %",
                "title": f"average test accuracy, {KINDS[kind]}",
                "detail": "; ".join(other),
            }
        )
        present = {n: f["accuracy"] for n, f in final["domains"].items() if f["texts"]}
        if len(present) > 1:
            worst = min(present, key=present.get)
            shown.append(
                {
                    "value": f"{_percent(present[worst])} %",
                    "title": "in the worst domain",
                    "detail": worst,
                }
            )
    shown += _probe_highlight(summary)
    seconds = sum(stage.get("seconds", 0) for stage in summary["stages"].values())
    texts = sum(row["train"] for row in summary["stages"].get("validate", {}).get("counts", []))
    if texts:
        shown.append({"value": f"{texts:,}", "title": "training texts", "detail": ""})
    if seconds:
        shown.append({"value": duration(seconds), "title": "from data to results", "detail": ""})
    return shown


def _probe_highlight(summary: Facts) -> list[Facts]:
    probe = (summary.get("diagnostics") or {}).get("probe") or {}
    before, after = ((probe.get(moment) or {}).get("embedding") for moment in ("before", "after"))
    if not (is_number(before) and is_number(after)):
        return []
    title = "of texts still give their domain away"
    detail = f"{_percent(before)} % before; {_percent(probe.get('majority'))} % by guessing"
    return [{"value": f"{_percent(after)} %", "title": title, "detail": detail}]


def warnings(summary: Facts) -> list[str]:
    """What makes the figures weak, a sentence each."""
    data = summary["stages"].get("validate", {})
    counts = data.get("counts", [])
    found = []
    if data.get("is_sample"):
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
            f"Fewer than {FEW_TEST_TEXTS} test texts in {_listed(few)}: figures there are guesses."
        )
    cells = [
        f"{row['domain']} / {row['class']} ({row['train']})"
        for row in counts
        if row["train"] < FEW_TRAINING_TEXTS
    ]
    if cells:
        found.append(
            f"Fewer than {FEW_TRAINING_TEXTS} training texts in {_listed(cells)}: too few to"
            " learn from."
        )
    return found


def data_notes(summary: Facts) -> list[str]:
    """Counted facts about the data."""
    data = summary["stages"].get("validate", {})
    notes = list(data.get("notes", []))
    if data.get("leaks_dropped"):
        notes.append(f"{data['leaks_dropped']:,} texts dropped: they also stand in dev or test")
    return notes


def results(summary: Facts) -> Facts | None:
    """The table of results: `kinds` (titles) and `rows`, a cell per kind; `None` without test."""
    tests = test_metrics(summary)
    if not tests:
        return None
    rows = []
    for domain, figures in next(iter(tests.values()))["domains"].items():
        cells = [_cell(part["domains"].get(domain, {"texts": 0})) for part in tests.values()]
        rows.append(
            {"name": domain, "texts": figures["texts"], "cells": cells, "is_summary": False}
        )
    for name, accuracy, macro_f1 in (
        ("average", "average_accuracy", "average_macro_f1"),
        ("worst domain", "worst_domain_accuracy", None),
    ):
        cells = [
            {
                "accuracy": part.get(accuracy),
                "accuracy_interval": None,
                "macro_f1": part.get(macro_f1),
                "macro_f1_interval": None,
            }
            for part in tests.values()
        ]
        rows.append({"name": name, "texts": None, "cells": cells, "is_summary": True})
    return {"kinds": [KINDS[kind] for kind in tests], "rows": rows}


def case_study(summary: Facts) -> list[Facts]:
    """Domains with their `low` and `high` texts."""
    domains: dict[str, Facts] = {}
    for entry in summary.get("case_study") or []:
        domain = domains.setdefault(
            entry["domain"], {"name": entry["domain"], "low": [], "high": []}
        )
        domain[entry["typicality"]].append(entry)
    return list(domains.values())


def duration(seconds: float) -> str:
    """`41 s`, `3.4 min` or `2.1 h`."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.{0 if seconds >= 10 * size else 1}f}\N{NO-BREAK SPACE}{unit}"
    return f"{seconds:.0f}\N{NO-BREAK SPACE}s"


def is_number(value: Any) -> bool:
    """Whether a figure is there and finite."""
    return value is not None and math.isfinite(value)


def _cell(figures: Facts) -> Facts | None:
    if not figures["texts"]:
        return None
    return {**figures, "macro_f1_interval": macro_f1_interval(figures["confusion"])}


def _budget(config: Facts, stages: Facts) -> str:
    """Epochs and their settings; a method's only phase runs for the epochs of both."""
    phases = {
        title: config[name]
        for name, title in (("meta_fine_tune", "all domains mixed"), ("fine_tune", "per domain"))
        if name in stages
    }
    both = config["meta_fine_tune"]["epochs"] + config["fine_tune"]["epochs"]
    parts = []
    for title, phase in phases.items():
        epochs = both if len(phases) == 1 else phase["epochs"]
        parts.append(
            f"{title}: {epochs} epoch{'s' if epochs != 1 else ''}, batch {phase['batch_size']},"
            f" learning rate {phase['learning_rate']:g}"
        )
    if kept := stages.get("fine_tune", {}).get("keep_meta_learner"):
        parts.append(f"{_listed(kept)}: the meta-learner, since dev does as well without")
    return "; ".join(parts)


def _times(stages: Facts) -> str:
    times = {title: stages[name]["seconds"] for name, title in _STAGES.items() if name in stages}
    parts = ", ".join(f"{title} {duration(seconds)}" for title, seconds in times.items())
    return f"{duration(sum(times.values()))}: {parts}" if times else ""


def _counted(names: list[str], singular: str, plural: str | None = None) -> str:
    return f"{len(names)} {singular if len(names) == 1 else plural or singular + 's'}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _percent(value: float | None) -> str:
    return f"{100 * value:.1f}" if is_number(value) else "?"
