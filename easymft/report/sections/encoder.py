"""What the encoder makes of domains and classes, before and after meta fine-tuning."""

import numpy as np
import pyarrow as pa

from easymft.report import plots
from easymft.report.facts import Facts
from easymft.report.sections.section import Panel, Section
from easymft.report.sections.values import (
    in_order,
    percent_point,
    share_point,
    strings,
    vocabulary,
)
from easymft.report.words import is_number, signed

_POINTS = 800  # drawn in a map: more would only hide one another
_MANY = 24  # centroids: more have no room for names of their own


def centroids(diagnostics: Facts) -> Section:
    """Show the cosine between the class centroids of all domains."""
    found = diagnostics.get("centroids") or {}
    cells = found.get("names") or []
    how = (
        "Grouped by class: the deeper the blocks on the diagonal, the more alike a class is in all"
        " domains, and the more the domains can learn from one another."
    )
    title = "Class centroids"
    if not cells:
        return Section("centroids", title, how)
    classes = list(dict.fromkeys(cell["class"] for cell in cells))
    order = sorted(range(len(cells)), key=lambda place: classes.index(cells[place]["class"]))
    cosine = np.array(found["cosine"], dtype=float)[np.ix_(order, order)]
    one_each = len(cells) == len(classes) * len({cell["domain"] for cell in cells})
    many = len(cells) > _MANY and one_each
    svg = plots.heat_map(
        cosine,
        classes if many else [cells[place]["domain"] for place in order],
        "Cosine between the class centroids of all domains",
        groups=classes if one_each and not many else (),
        texts=() if many else [[_short(value) for value in row] for row in cosine],
        span=None,
        scale="cosine",
    )
    note = "before training; columns have the numbers of the rows"
    return Section("centroids", title, how, [Panel("Cosine of class centroids", svg, note)])


def _short(cosine: float) -> str:
    return signed(cosine).replace("0.", ".", 1) if is_number(cosine) else ""


def text_maps(summary: Facts, diagnostics: Facts, table: pa.Table | None) -> Section:
    """Show texts in the plane of their principal components."""
    how = (
        "Each mark is a text: meta fine-tuning should mix the domains and part the classes. The"
        " axes before and after are different ones."
    )
    title = "Text map"
    if table is None or not table.num_rows:
        return Section("map", title, how)
    notes = []
    if table.num_rows > _POINTS:
        notes.append(f"{_POINTS} of {table.num_rows:,} texts are drawn.")
        rows = np.random.default_rng(0).choice(table.num_rows, _POINTS, replace=False)
        table = table.take(pa.array(np.sort(rows)))
    shares = diagnostics.get("map") or {}
    panels = []
    for kind, column, names in (("domain", "domain", "domains"), ("class", "label", "labels")):
        values = strings(table, column)
        names = in_order(values, vocabulary(summary, names))
        codes = np.array([names.index(value) for value in values])
        for moment in ("before", "after"):
            points = _points(table, moment)
            kept = np.isfinite(points).all(axis=1)
            if not kept.any():
                continue
            svg = plots.scatter_map(
                points[kept],
                codes[kept],
                names,
                *_components(shares.get(f"explained_{moment}")),
                f"Map of the texts {moment} training by {kind}",
            )
            panels.append(Panel(f"{moment.capitalize()} training, by {kind}", svg))
    return Section("map", title, how, panels, notes)


def _points(table: pa.Table, moment: str) -> np.ndarray:
    """Return `(texts, 2)`; NaN where a method has no such moment."""
    names = [f"{moment}_{axis}" for axis in "xy"]
    if not set(names) <= set(table.column_names):
        return np.full((table.num_rows, 2), np.nan)
    return np.array([table[name].to_pylist() for name in names], dtype=float).T


def _components(shares: list[float] | None) -> list[str]:
    labels = ["component 1", "component 2"]
    for number, share in enumerate((shares or [])[:2]):
        if is_number(share):
            labels[number] += f", {100 * share:.0f} % of variance"
    return labels


def domain_probe(diagnostics: Facts) -> Section:
    """Show how well a linear classifier tells the domain, per layer."""
    probe = diagnostics.get("probe") or {}
    moments = {
        moment: probe[moment]
        for moment in ("before", "after")
        if any(map(is_number, (probe.get(moment) or {}).values()))
    }
    how = (
        "A fresh linear classifier tries to tell the domain of a text from each layer: the closer"
        " it falls to the dashed line, the better the encoder hides the domain."
    )
    title = "Domain probe"
    if not moments:
        return Section("probe", title, how)
    texts, majority = probe.get("test_texts") or 0, probe.get("majority")
    layers = diagnostics.get("layers") or list(next(iter(moments.values())))
    rows = [
        plots.Row(
            f"layer {layer}" if layer.isdigit() else layer,
            [share_point(part.get(layer), texts) for part in moments.values()],
        )
        for layer in layers
    ]
    dashed = percent_point(majority)
    svg = plots.dot_and_whisker(
        rows,
        [f"{moment} meta fine-tuning" for moment in moments],
        "domain told, % of held-out texts",
        "Accuracy of a domain probe per layer",
        reference=(dashed.value, "always the largest domain") if dashed else None,
    )
    panel = Panel("Domain told by layer", svg, f"{texts:,} held-out texts" if texts else "")
    return Section("probe", title, how, [panel])
