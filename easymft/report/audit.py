"""An audit for reading and deciding: one screen a domain, offline, by mouse or keyboard."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from easymft.report.markdown import Table
from easymft.report.sections.section import Section
from easymft.report.templating import render
from easymft.report.words import counted, percent

MOST_ROWS = 200  # texts on a domain's screen; audit.csv has all
_MOST_CLASSES = 20  # that a text can be given by choice
_HOW = (
    "The score is 1 minus the probability that a model which did not learn from the text gives its"
    " label. A text at 0.9 has another label than nine in ten of the texts like it; near 0.5 the"
    " model does not know."
)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class DomainAudit:
    """What was found in a domain.

    Attributes:
        name: Of the domain.
        texts: Labelled texts.
        counts: Texts by the kind of what was found.
        rows: Those to look at, most suspicious first: `id`, `checksum`, `text`, `text_pair` or
            None, `label`, `suggested_label`, `why`, `score` and `typicality`.
        low: The least typical texts, of the same keys.
        high: The most typical texts.
        labels: Names of all classes.
    """

    name: str
    texts: int
    counts: Mapping[str, int]
    found: int
    rows: Sequence[Row]
    low: Sequence[Row]
    high: Sequence[Row]
    labels: Sequence[str]

    @property
    def classes(self) -> Sequence[str]:
        """Classes to choose from; none where they are too many for a list of choices."""
        if len(self.labels) <= _MOST_CLASSES:
            return self.labels
        return sorted({row["suggested_label"] for row in self.rows})


def render_audit_html(
    name: str, lines: Sequence[str], domains: Sequence[DomainAudit], kinds: Mapping[str, str]
) -> str:
    """Return one self-contained page.

    Args:
        name: Of the recipe.
        lines: What was found in a few lines.
        domains: What was found in each domain.
        kinds: In words, by kind.
    """
    script = render("audit.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    sections = [
        Section("overview", "Overview", _HOW, part="table", tables=[_overview(domains, kinds)])
    ]
    for number, domain in enumerate(domains):
        how = f"{counted(domain.texts, 'labelled text')}, {domain.found:,} to look at."
        section = Section(f"domain-{number}", domain.name, how, part="audit", tables=[domain])
        sections.append(section)
    return render(
        "audit.html.jinja",
        title=name,
        kind="audit",
        description=" ".join(line.strip() for line in lines),
        sections=sections,
        script=Markup(script),
        script_hash=f"sha256-{digest}",
    )


def _overview(domains: Sequence[DomainAudit], kinds: Mapping[str, str]) -> Table:
    body = [["domain", "texts", *kinds.values(), "to look at, %"]]
    for domain in domains:
        counts = [f"{domain.counts.get(kind, 0):,}" for kind in kinds]
        share = percent(domain.found / max(domain.texts, 1))
        body.append([domain.name, f"{domain.texts:,}", *counts, share])
    return Table("Texts by what there is to look at", body)
