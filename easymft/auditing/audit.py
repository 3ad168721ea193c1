"""`--mode audit`: a recipe's labelled texts, one by one."""

import collections
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pyarrow as pa

from easymft import files
from easymft.auditing import findings
from easymft.auditing.material import Material
from easymft.auditing.next_labels import label_next
from easymft.config.loading import load_config
from easymft.data.corpus.checksum import checksum
from easymft.data.corpus.schema import UNKNOWN
from easymft.data.files.spreadsheet import spreadsheet
from easymft.data.sources.corrections import kept_ids
from easymft.errors import InputError
from easymft.models.label_sets import LabelSets
from easymft.report.audit import MOST_ROWS, DomainAudit, render_audit_html
from easymft.report.words import counted
from easymft.runs.plan import plan
from easymft.runs.run import Run

logger = logging.getLogger(__name__)

CSV = (
    *("id", "file", "line", "domain", "text", "text_pair", "label", "suggested_label"),
    *("why", "score", "decision", "checksum"),
)
"""Columns of audit.csv; those of text pairs only where there are such."""


class Audit:
    """Looks at every labelled text of a recipe by models that did not learn from it.

    Leaves, under `output_dir/<recipe>/audit/`: `audit.csv`, the texts to look at, most suspicious
    first, for people to decide; `audit.html`, the same and the least and most typical texts, a
    screen a domain; and `audit.parquet`, all figures of all labelled texts.

    Args:
        recipe: Path of a recipe.
        overrides: `key=value` settings of the command line.
        minutes: What it may take, about.
        budget: How many texts without a label to choose for labelling, in `label_next.csv`; `None`:
            none are asked for.
    """

    def __init__(
        self,
        recipe: str | Path,
        overrides: Sequence[str] = (),
        minutes: float = 30.0,
        budget: int | None = None,
    ):
        self.config = load_config(recipe, overrides)
        self.minutes, self.budget = minutes, budget
        self.folder = Path(self.config.output_dir) / self.config.name / "audit"
        method = self.config.audit.method
        self._run = Run(self.config.model_copy(update={"method": method, "diagnose": False}))

    def plan(self) -> Iterator[str]:
        """Yield what would be done and about how long it takes."""
        rows = self._material().rows
        folds, method = self.config.audit.folds, self.config.audit.method
        yield f"{counted(len(rows), 'labelled text')}, {folds} folds, by {method}"
        yield f"estimated time: about {max(self._planned_minutes(len(rows)), 1):.0f} min"

    def run(self) -> str:
        """Look at all texts; return what was found in a few lines."""
        material = self._material()
        rows = material.rows
        if self.budget is not None and not len(material.bare_rows):
            message = "is for texts without a label, and there are none; name some in data.files"
            raise InputError(f"{message}.unlabeled", field="--budget")
        if self.config.audit.method != "embed":
            self._check_minutes(len(rows))
        keras.utils.set_random_seed(self.config.seed)
        found = findings.find(material)
        if self.config.data.corrections is not None:
            # What people have looked at is not to be looked at again.
            kept = kept_ids(material.corpus, self.config.data.corrections)
            found.loc[found["id"].isin(kept), ["why", "kinds"]] = ""
        self._write(found)
        lines = summary_lines(found)
        if self.budget is not None:
            chosen = label_next(material, self.budget, self.config.seed)
            write_csv(self.folder / "label_next.csv", chosen)
            by_domain = chosen["domain"].value_counts(sort=False)
            shown = ", ".join(f"{name} {count:,}" for name, count in by_domain.items())
            lines.append(f"Label next: {shown} ({self.folder}/label_next.csv)")
        return "\n".join(lines)

    def _material(self) -> Material:
        data = self._run.data
        return Material(
            self.config, data.corpus, data.tokens, self._run.pretrained, self._label_sets()
        )

    def _label_sets(self) -> LabelSets | None:
        data = self._run.data
        if self.config.data.label_sets != "found":
            return data.label_sets
        labels, domains = data.corpus.codes("label"), data.corpus.codes("domain")
        return [
            np.unique(labels[(domains == code) & (labels != UNKNOWN)]).tolist() or None
            for code in range(data.num_domains)
        ]

    def _planned_minutes(self, texts: int) -> float:
        planned, folds = plan(self._run), self.config.audit.folds
        embedded = texts * planned.text_seconds / 60
        if self.config.audit.method == "embed":
            return embedded
        epochs = self.config.meta_fine_tune.epochs + self.config.fine_tune.epochs
        # A step takes three times what a prediction does; each fold's encoder embeds all texts.
        return embedded * (1 + folds + 3 * epochs * (folds - 1))

    def _check_minutes(self, texts: int) -> None:
        minutes = self._planned_minutes(texts)
        if minutes > self.minutes:
            raise InputError(
                f"is too little: {self.config.audit.folds} folds by `{self.config.audit.method}` "
                f"take about {minutes:.0f} minutes; give as many, or set audit.method=embed. "
                f"Received: {self.minutes:g}",
                field="--minutes",
            )
        logger.info("About %.0f minutes.", minutes)

    def _write(self, found: pd.DataFrame) -> None:
        write_csv(self.folder / "audit.csv", found[found["why"] != ""])
        table = pa.Table.from_pandas(found, preserve_index=False)
        files.write_parquet(self.folder / "audit.parquet", table)
        domains = [
            domain_audit(name, own, self._run.data.corpus.labels, self.config.case_study)
            for name, own in found.groupby("domain", sort=True)
        ]
        page = render_audit_html(self.config.name, summary_lines(found), domains, findings.KINDS)
        files.write_text(self.folder / "audit.html", page)


def write_csv(path: Path, rows: pd.DataFrame) -> None:
    """Write texts for people to decide on, as `data.corrections` reads them."""
    columns = [name for name in CSV if name in rows or name in ("decision", "checksum")]
    files.write_text(path, spreadsheet(columns, map(_csv_row, rows.to_dict("records"))))


def _csv_row(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "score": f"{row['score']:.3f}", "decision": "", "checksum": _checksum(row)}


def _checksum(row: dict[str, Any]) -> str:
    return checksum([row[name] for name in ("text", "text_pair") if name in row])


def domain_audit(
    name: str, found: pd.DataFrame, labels: Sequence[str], typical: int
) -> DomainAudit:
    """Return what was found in a domain, as the page shows it.

    Args:
        name: Of the domain.
        found: Of `findings.find`, its texts alone.
        labels: Names of all classes.
        typical: How many of its least and of its most typical texts are shown.
    """
    marked = found[found["why"] != ""]
    by_typicality = found.sort_values("typicality", kind="stable")
    counts = collections.Counter(" ".join(found["kinds"]).split())
    return DomainAudit(
        *(name, len(found), counts, len(marked), _page_rows(marked.head(MOST_ROWS))),
        *(_page_rows(by_typicality.head(typical)), _page_rows(by_typicality.tail(typical)[::-1])),
        labels,
    )


def _page_rows(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {"text_pair": None, **row, "checksum": _checksum(row)} for row in rows.to_dict("records")
    ]


def summary_lines(found: pd.DataFrame) -> list[str]:
    """Return what an audit found, a line a kind."""
    kinds = found["kinds"].str.split()
    lines = [f"{counted(len(found), 'labelled text')}, of which"]
    for kind, what in findings.KINDS.items():
        own = found[kinds.map(lambda of, kind=kind: kind in of)]
        by_domain = own["domain"].value_counts()
        shown = ", ".join(f"{name} {count:,}" for name, count in by_domain.head(6).items())
        lines.append(f"  {len(own):,} {what}" + (f" ({shown})" if shown else ""))
    return lines
