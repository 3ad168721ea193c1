"""The sentences at the end of a comparison: which row to take, and what more labels would buy."""

from collections.abc import Mapping, Sequence

from easymft.report.sweep import MethodFigures

_FOR_RARE_CLASSES = ("balanced accuracy", "macro-F1")


def simplest_unbeaten(rows: Mapping[str, MethodFigures]) -> str:
    """Return the name of the simplest row that no other beats beyond chance.

    A row beats another where the 95 % interval of their paired difference lies above 0.

    Args:
        rows: Figures by the name of the method, simplest first, each compared with all others.
    """
    for name, row in rows.items():
        others = [other for other in rows.values() if other.title != row.title]
        if not any(_beats(other, row) for other in others):
            return name
    # Each is beaten by some other, in a circle: the highest mean decides.
    return max(rows, key=lambda name: rows[name].average[0])


def advice(rows: Mapping[str, MethodFigures], planned: Sequence[str]) -> list[str]:
    """Return sentences: the row to take, what it gains, what was not measured.

    Args:
        rows: As in `simplest_unbeaten`.
        planned: Titles of rows that there was no time for.
    """
    name = simplest_unbeaten(rows)
    chosen = rows[name]
    sentences = [
        f"Take `{name}` ({chosen.title}), {_percent(chosen.average[0])} % right on average: it is "
        "the simplest row that nothing measured here beats beyond chance."
    ]
    for other in rows.values():
        if other.title != chosen.title and chosen.title in other.differences:
            mean, low, high = (100 * end for end in other.differences[chosen.title])
            sentences.append(
                f"{other.title} is {abs(mean):.1f} points {'above' if mean > 0 else 'below'} it "
                f"({low:+.1f} to {high:+.1f}){'' if low > 0 or high < 0 else ', maybe by chance'}."
            )
    if planned:
        sentences.append(f"There was no time for {' and '.join(planned)}; give more `--minutes`.")
    return sentences


def worth_of_labels(
    curve: Sequence[tuple[int, float]], difference: tuple[float, float, float] | None
) -> str | None:
    """Return a sentence on what twice the labels bought, from half of them to all.

    Args:
        curve: Training texts and average accuracy, ascending; the last is with all of them.
        difference: Paired difference of all labels minus half, and its interval's ends.
    """
    if difference is None or len(curve) < 2:
        return None
    (half, _), (whole, accuracy) = curve[-2:]
    mean, low, high = (100 * end for end in difference)
    gained = f"{mean:+.1f} points ({low:+.1f} to {high:+.1f})"
    if low > 0:
        hope = "as many again may buy about as much, or a little less"
    elif high < 1:
        hope = "more labels of this kind buy little"
    else:
        hope = "what more labels buy cannot be told from chance"
    return (
        f"From {half:,} to {whole:,} labelled texts it gained {gained}, to "
        f"{_percent(accuracy)} %: {hope}."
    )


def rare_classes(balances: Mapping[str, MethodFigures], counts: Mapping[str, int]) -> list[str]:
    """Return sentences on what `class_balance` did where some classes are rare.

    Args:
        balances: Figures of one row by its `class_balance`, `none` first.
        counts: Texts of each class.
    """
    plain, *_ = balances.values()
    largest = max(counts, key=lambda label: counts[label])
    share = round(100 * counts[largest] / sum(counts.values()))
    sentences = [f"Classes are of unequal size: {share} % of the texts are `{largest}`."]
    for balance, row in balances.items():
        if row is not plain:
            pairs = {
                **{name: (plain.others[name], row.others[name]) for name in _FOR_RARE_CLASSES},
                "accuracy": (plain.average, row.average),
            }
            measures = [
                f"{name} from {_percent(before[0])} to {_percent(after[0])} %"
                for name, (before, after) in pairs.items()
            ]
            sentences.append(f"`class_balance` {balance} takes {' and '.join(measures)}.")
    return sentences


def _beats(one: MethodFigures, other: MethodFigures) -> bool:
    return other.title in one.differences and one.differences[other.title][1] > 0


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
