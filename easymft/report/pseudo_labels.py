"""What self-training did with texts without labels, in sentences and tables."""

from collections.abc import Iterable

from easymft.report.facts import Facts
from easymft.report.markdown import Table
from easymft.report.words import counted, percent

_GATES = {"cross_fit": "training texts that its models never saw", "dev": "development texts"}
_COUNTS = ("texts", "known", "right")


def verdict(found: Facts) -> str:
    """Return which rounds are kept, and what the gate saw.

    Args:
        found: What the stage `self_train` left.
    """
    asked = counted(found["asked"], "round")
    if found["gate"] not in _GATES:
        return f"No gate: {asked} of self-training."
    texts = found.get("gate_texts", 0)  # 0: an earlier version did not count them
    shares = [f" ({percent(hits / texts)} %)" if texts else "" for hits in found["right"]]
    before, *after = (f"{hits:,}{s}" for hits, s in zip(found["right"], shares, strict=True))
    rounds = ", ".join(f"{figure} after round {n}" for n, figure in enumerate(after, start=1))
    of = f"Of {texts:,} {_GATES[found['gate']]}" if texts else f"Of {_GATES[found['gate']]}"
    return (
        f"{of}, {before} were right before self-training, {rounds}: {found['kept']} of {asked}"
        " kept. A round that gets no more of them right is dropped, with those after it."
    )


def tables(found: Facts) -> list[Table]:
    """Return a table a kept round: texts per domain and class, and how many are right.

    Args:
        found: What the stage `self_train` left.
    """
    return [_table(number, part) for number, part in enumerate(found["rounds"], start=1)]


def counts(part: Facts, domain: str) -> tuple[int, ...]:
    """Return how many of a domain's texts there are, have a known label, and are right.

    Args:
        part: Of a round, what it `labeled` or what it has `chosen`.
        domain: The domain's name.
    """
    return tuple(sum(part[what][domain].values()) for what in _COUNTS)


def _table(number: int, found: Facts) -> Table:
    parts, by_domain = (found["labeled"], found["chosen"]), found["labeled"]["texts"]
    rows = [
        [f"{domain} / {label}"]
        + [cell for p in parts for cell in _cells(p[what][domain][label] for what in _COUNTS)]
        for domain, by_label in by_domain.items()
        for label in by_label
    ]
    totals = [
        map(sum, zip(*(counts(p, domain) for domain in by_domain), strict=True)) for p in parts
    ]
    rows.append(["all", *(cell for total in totals for cell in _cells(total))])
    rows.insert(0, ["domain / class", "labelled so", "right, %", "chosen", "right, %"])
    if not any(row[2] or row[4] for row in rows[1:]):  # No label is known.
        rows = [[row[0], row[1], row[3]] for row in rows]
    return Table(f"Round {number}: texts without labels by the class that they were given.", rows)


def _cells(figures: Iterable[int]) -> tuple[str, str]:
    texts, known, right = figures
    return f"{texts:,}", percent(right / known) if known else ""
