"""What validation found, and its two tables."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from easymft.errors import Problems

PERCENTILES = (0, 5, 25, 50, 75, 95, 99, 100)
_HEADS = {0: "min", 50: "median", 100: "max"}


@dataclass(frozen=True)
class Report:
    """Result of `validate`; `counts` and `lengths` are plain values, ready for JSON.

    Args:
        problems: Errors; the first 20 are kept and all counted.
        warnings: Sentences to show the user.
        counts: Per domain and class: `domain`, `class`, and the number of texts of each part
            (train, dev, test; others if the splits have them).
        lengths: Per domain, after a row for "all": `domain`, the percentiles of the length before
            cutting, and `cut`, the share of texts longer than `max_length`.
        length_unit: What lengths count: words or word pieces.
        max_length: What texts are cut to; None where nothing is known of it, nor of `cut`.
        estimated_lengths: How many lengths are estimated from the beginning of a text.
        unlabeled: Number of texts without labels, by domain.
        unknown_shares: Share of word pieces that the vocabulary lacks, by domain.
    """

    problems: Problems
    warnings: tuple[str, ...]
    counts: list[dict[str, Any]]
    lengths: list[dict[str, Any]]
    length_unit: str
    max_length: int | None = None
    estimated_lengths: int = 0
    unlabeled: dict[str, int] = field(default_factory=dict)
    unknown_shares: dict[str, float] = field(default_factory=dict)

    def raise_for_problems(self) -> None:
        """Raise `InputError` (`InputErrors` for several) if there are problems."""
        self.problems.raise_if_any()

    def lines(self) -> list[str]:
        """Return both tables and the warnings, line by line."""
        warnings = [f"warning: {warning}" for warning in self.warnings]
        tables = [*self.count_table().split("\n"), *self.length_table().split("\n")]
        return [*tables, *self.notes(), *warnings]

    def notes(self) -> list[str]:
        """Return what there is to say beside the tables."""
        if not any(self.unlabeled.values()):
            return []
        by_domain = ", ".join(f"{domain} {count:,}" for domain, count in self.unlabeled.items())
        return [f"{sum(self.unlabeled.values()):,} texts without labels: {by_domain}"]

    def count_table(self) -> str:
        """Return texts per domain, class and part, as aligned text."""
        parts = [name for name in self.counts[0] if name not in ("domain", "class")]
        rows = [["domain", "class", *parts, "all"]]
        for cell in [*self.counts, self._total(parts)]:
            numbers = [cell[part] for part in parts]
            rows.append([cell["domain"], cell["class"], *map(_number, [*numbers, sum(numbers)])])
        return _aligned(rows, text_columns=2)

    def length_table(self) -> str:
        """Return percentiles of the text length per domain, as aligned text."""
        heads = list(_heads().values())
        rows = [[self.length_unit, *heads]]
        rows += [[row["domain"], *(_number(row[head]) for head in heads)] for row in self.lengths]
        if self.max_length is not None:
            shares = [f"cut at {self.max_length}", *(f"{row['cut']:.0%}" for row in self.lengths)]
            rows = [[*row, share] for row, share in zip(rows, shares, strict=True)]
        table = _aligned(rows, text_columns=1)
        if self.estimated_lengths:
            table += f"\nlengths of {self.estimated_lengths:,} very long texts are estimates"
        return table

    def _total(self, parts: list[str]) -> dict[str, Any]:
        total = {part: sum(cell[part] for cell in self.counts) for part in parts}
        return {"domain": "all", "class": "all", **total}


def count_rows(
    counts: np.ndarray, domains: Sequence[str], labels: Sequence[str], parts: Sequence[str]
) -> list[dict[str, Any]]:
    """Return `Report.counts`, given an int array `(domains, classes, parts)`."""
    return [
        {"domain": domain, "class": label, **dict(zip(parts, cell, strict=True))}
        for domain, cells in zip(domains, counts.tolist(), strict=True)
        for label, cell in zip(labels, cells, strict=True)
    ]


def length_rows(
    lengths: np.ndarray, codes: np.ndarray, domains: Sequence[str], cut: np.ndarray | None = None
) -> list[dict[str, Any]]:
    """Return `Report.lengths`.

    Args:
        lengths: `(rows,)` length of every text.
        codes: `(rows,)` domain code of every text.
        domains: Names of the domains.
        cut: `(rows,)` whether a text is cut, where that is known.
    """
    heads, rows = _heads(), []
    for code, name in enumerate(["all", *domains], start=-1):
        members = np.full(len(codes), True) if code < 0 else codes == code
        # A domain of the vocabulary may have no text left after a limit.
        known = lengths[members] if members.any() else np.zeros(1)
        values = np.percentile(known, list(heads)).round(1).tolist()
        row = {"domain": name, **dict(zip(heads.values(), values, strict=True))}
        if cut is not None:
            row["cut"] = float(cut[members].mean()) if members.any() else 0.0
        rows.append(row)
    return rows


def _heads() -> dict[int, str]:
    """Return the heads of the columns of percentiles."""
    return {part: _HEADS.get(part, f"{part} %") for part in PERCENTILES}


def _number(value: float) -> str:
    return f"{round(value):,}"


def _aligned(rows: list[list[str]], text_columns: int) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if position < text_columns else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
