"""Which texts are typical, and whether that tells where errors lie."""

import pyarrow as pa
import pyarrow.compute as pc

from easymft.report import plots
from easymft.report.facts import KINDS, Facts
from easymft.report.sections.section import MOST_PANELS, Panel, Section, pictured_note
from easymft.report.sections.values import in_order, share_point, strings, vocabulary
from easymft.report.words import is_number, signed

_FIFTHS = ("least typical", "second fifth", "middle fifth", "fourth fifth", "most typical")


def typicality(summary: Facts, table: pa.Table | None) -> Section:
    """Show histograms of the training texts' scores, per domain and class."""
    how = (
        "Right: texts close to the centre of their class in all domains, which weigh most in meta"
        " fine-tuning; left: texts that look like another class or like nothing else."
    )
    if table is not None and "split" in table.column_names:
        table = table.filter(pc.equal(table["split"], "train"))
    if table is None or not table.num_rows:
        return Section("typicality", "Typicality", how)
    scores = table["score"].to_numpy().astype(float)
    domains, labels = strings(table, "domain"), strings(table, "label")
    names = in_order(domains, vocabulary(summary, "domains"))
    classes = in_order(labels, vocabulary(summary, "labels"))
    groups = {}
    for domain in names[:MOST_PANELS]:
        own = {label: scores[(domains == domain) & (labels == label)] for label in classes}
        groups[domain] = {label: part for label, part in own.items() if len(part)}
    bins = plots.shared_bins(scores)
    top = max(plots.top_share(group, bins) for group in groups.values())
    panels = []
    for domain, group in groups.items():
        label = f"Typicality of the training texts of domain {domain} by class"
        svg = plots.class_histogram(group, bins, top, "typicality t", label)
        panels.append(Panel(domain, svg, f"{sum(map(len, group.values())):,} training texts"))
    return Section("typicality", "Typicality", how, panels, pictured_note(len(names)))


def case_study(summary: Facts) -> Section:
    """Show the least and most typical training texts of each domain."""
    how = (
        "Typicality does its work where the most typical texts say their class plainly and the"
        " least typical are odd, off topic or mislabelled."
    )
    part = "case_study" if summary.get("case_study") else ""
    return Section("texts", "Typical texts", how, part=part)


def errors(diagnostics: Facts) -> Section:
    """Show accuracy along the typicality of test texts."""
    found = {
        kind: entry
        for kind, entry in (diagnostics.get("typicality_and_errors") or {}).items()
        if entry and entry.get("quintiles")
    }
    how = (
        "If errors gather among the untypical, accuracy climbs from the least typical fifth of the"
        " test texts to the most typical."
    )
    title = "Typicality and errors"
    if not found:
        return Section("errors", title, how)
    rows = []
    quintiles = next(iter(found.values()))["quintiles"]
    for number, quintile in enumerate(quintiles):
        name = _FIFTHS[number] if len(quintiles) == 5 else f"part {number + 1}"
        points = [_quintile_point(entry["quintiles"], number) for entry in found.values()]
        rows.append(plots.Row(name, points, _range(quintile)))
    svg = plots.dot_and_whisker(
        rows,
        [KINDS.get(kind, kind) for kind in found],
        "accuracy on test texts, %",
        "Accuracy by fifths of typicality",
    )
    aucs = ", ".join(
        f"{KINDS.get(kind, kind)} {entry['auc']:.2f}"
        for kind, entry in found.items()
        if is_number(entry.get("auc"))
    )
    notes = [
        "How well typicality alone tells right answers from wrong, as the area under the ROC curve"
        f" (0.5 is chance, 1 perfect): {aucs}."
    ]
    panel = Panel("Accuracy by fifths of typicality", svg, "test texts, all domains")
    notes = [*(notes if aucs else []), *_wrong_labels(diagnostics.get("wrong_labels") or {})]
    return Section("errors", title, how, [panel], notes)


def _wrong_labels(found: Facts) -> list[str]:
    """Say what became of labels that were flipped on purpose (`data.label_noise`)."""
    if not found.get("rankings"):
        return []
    count = found["flipped"]
    shares = ", ".join(
        f"{name} {entry['precision']:.1%}" for name, entry in found["rankings"].items()
    )
    return [
        f"{count:,} of {found['texts']:,} training texts were given a wrong label. Share of them"
        f" among the {count:,} texts that a ranking suspects most: {shares}"
        f" (chance: {count / found['texts']:.1%})."
    ]


def _quintile_point(quintiles: list[Facts], number: int) -> plots.Point | None:
    if number >= len(quintiles):
        return None
    return share_point(quintiles[number]["accuracy"], quintiles[number]["texts"])


def _range(quintile: Facts) -> str:
    ends = [quintile.get("low"), quintile.get("high")]
    return " to ".join(map(signed, ends)) if all(map(is_number, ends)) else ""
