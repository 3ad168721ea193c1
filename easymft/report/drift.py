"""What has moved between the texts of training and those that are served, to read and to scrape."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from easymft.report.markdown import Table
from easymft.report.sections.section import Section
from easymft.report.shift import Shift
from easymft.report.templating import render
from easymft.report.words import counted, listed, percent

_HOW = (
    "The population stability index tells how far a measure's distribution has moved: below 0.1"
    " little, from 0.25 on much. Its range and what chance alone makes of it are 95 % ones. A"
    " measure has moved where its index is beyond the limit and beyond chance."
)
_METRICS = {
    "easymft_drift_index": "Population stability index of a measure.",
    "easymft_drift_mean": "Mean of a measure among the served texts.",
    "easymft_drift_moved": "Whether a measure has moved beyond the limit and beyond chance.",
}


@dataclass(frozen=True)
class Measure:
    """One thing that is watched, of one domain.

    Attributes:
        domain: Name; empty for texts of no known domain, which are beside those of all.
        name: What is measured.
        before: Its mean among the held-out texts of the run.
        now: Its mean among the served texts.
        texts: Served texts.
        shift: How far its distribution has moved.
        limit: Index beyond which that is too far.
    """

    domain: str
    name: str
    before: float
    now: float
    texts: int
    shift: Shift
    limit: float

    @property
    def has_moved(self) -> bool:
        """Whether it has moved too far."""
        return self.shift.is_beyond(self.limit)


@dataclass(frozen=True)
class Drift:
    """Served texts beside those of a run.

    Attributes:
        name: Of the recipe.
        texts: Served texts.
        limit: As in `Measure`.
        measures: What was measured.
        few: Served texts of domains with too few of them to be measured.
    """

    name: str
    texts: int
    limit: float
    measures: Sequence[Measure]
    few: Mapping[str, int]

    @property
    def moved(self) -> list[Measure]:
        """The measures that have moved too far."""
        return [measure for measure in self.measures if measure.has_moved]


def drift_lines(drift: Drift) -> list[str]:
    """Return a line on each measure that has moved, or one that says that none has."""
    if not drift.measures:
        return [f"{counted(drift.texts, 'text')}: too few of each domain to compare."]
    lines = [
        f"{_domain(own)}, {own.name}: {percent(own.before)} % was, {percent(own.now)} % is"
        f" (index {own.shift.index:.2f}, limit {drift.limit:g})"
        for own in drift.moved
    ]
    return lines or [f"{counted(drift.texts, 'text')}: nothing has moved beyond {drift.limit:g}."]


def render_drift_html(drift: Drift) -> str:
    """Return one self-contained page."""
    body = [["domain", "measure", "was, %", "is, %", "texts", "index", "range", "chance", ""]]
    for own in drift.measures:
        shift = own.shift
        body.append(
            [
                *(_domain(own), own.name, percent(own.before), percent(own.now), f"{own.texts:,}"),
                *(f"{shift.index:.3f}", f"{shift.low:.3f} to {shift.high:.3f}"),
                *(f"{shift.by_chance:.3f}", "moved" if own.has_moved else ""),
            ]
        )
    few = [f"{name} ({texts})" for name, texts in drift.few.items()]
    notes = [f"Too few texts to compare: {listed(few)}."] if few else []
    tables = [Table("Means and indices", body)]
    section = Section("drift", "What has moved", _HOW, notes=notes, part="table", tables=tables)
    return render(
        "drift.html.jinja",
        title=drift.name,
        kind="drift",
        description=" ".join(drift_lines(drift)),
        sections=[section],
    )


def render_prometheus(drift: Drift) -> str:
    """Return gauges in Prometheus' text format, for the textfile collector of its node exporter."""
    return "".join(f"{line}\n" for line in _prometheus(drift))


def _prometheus(drift: Drift) -> Iterator[str]:
    for metric, words in _METRICS.items():
        yield f"# HELP {metric} {words}"
        yield f"# TYPE {metric} gauge"
        for own in drift.measures:
            values = (own.shift.index, own.now, int(own.has_moved))
            value = dict(zip(_METRICS, values, strict=True))[metric]
            named = {"recipe": drift.name, "domain": own.domain, "measure": own.name}
            labels = ",".join(f'{name}="{_quoted(text)}"' for name, text in named.items())
            yield f"{metric}{{{labels}}} {value:g}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _domain(measure: Measure) -> str:
    return measure.domain or "(no known domain)"
