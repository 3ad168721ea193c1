"""What validation found, and its two tables."""

from collections.abc import Sequence
from dataclasses import dataclass
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
        lengths: Per domain, after a row for "all": `domain` and the percentiles of the length.
        length_unit: What lengths count: words or word pieces.
    """

    problems: Problems
    warnings: tuple[str, ...]
    counts: list[dict[str, Any]]
    lengths: list[dict[str, Any]]
    length_unit: str

    def raise_for_problems(self) -> None:
        """Raise `InputError` (`InputErrors` for several) if there are problems."""
        self.problems.raise_if_any()

    def lines(self) -> list[str]:
        """Both tables and the warnings, line by line."""
        warnings = [f"warning: {warning}" for warning in self.warnings]
        return [*self.count_table().split("\n"), *self.length_table().split("\n"), *warnings]

    def count_table(self) -> str:
        """Texts per domain, class and part, as aligned text."""
        parts = [name for name in self.counts[0] if name not in ("domain", "class")]
        rows = [["domain", "class", *parts, "all"]]
        for cell in [*self.counts, self._total(parts)]:
            numbers = [cell[part] for part in parts]
            rows.append([cell["domain"], cell["class"], *map(_number, [*numbers, sum(numbers)])])
        return _aligned(rows, text_columns=2)

    def length_table(self) -> str:
        """Percentiles of the text length per domain, as aligned text."""
        rows = [[self.length_unit, *list(self.lengths[0])[1:]]]
        for domain, *lengths in (row.values() for row in self.lengths):
            rows.append([domain, *map(_number, lengths)])
        return _aligned(rows, text_columns=1)

    def _total(self, parts: list[str]) -> dict[str, Any]:
        total = {part: sum(cell[part] for cell in self.counts) for part in parts}
        return {"domain": "all", "class": "all", **total}


def count_rows(
    counts: np.ndarray, domains: Sequence[str], labels: Sequence[str], parts: Sequence[str]
) -> list[dict[str, Any]]:
    """`Report.counts` from an int array `(domains, classes, parts)`."""
    return [
        {"domain": domain, "class": label, **dict(zip(parts, cell, strict=True))}
        for domain, cells in zip(domains, counts.tolist(), strict=True)
        for label, cell in zip(labels, cells, strict=True)
    ]


def length_rows(
    lengths: np.ndarray, codes: np.ndarray, domains: Sequence[str]
) -> list[dict[str, Any]]:
    """`Report.lengths` from the length `(rows,)` and domain code `(rows,)` of every text."""
    heads = [_HEADS.get(percentile, f"{percentile} %") for percentile in PERCENTILES]
    rows = []
    for code, name in enumerate(["all", *domains], start=-1):
        # A domain of the vocabulary may have no text left after a limit.
        members = lengths if code < 0 else lengths[codes == code]
        values = np.percentile(members, PERCENTILES) if members.size else np.zeros(len(heads))
        rows.append({"domain": name, **dict(zip(heads, values.round(1).tolist(), strict=True))})
    return rows


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
