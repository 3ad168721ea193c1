"""Which column is what: by its name, and by what it holds."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from easymft.data.corpus.corpus_builder import MAX_LABELS
from easymft.data.corpus.rows import SPLIT_NAMES
from easymft.init.columns import Column

REQUIRED = ("text", "label", "domain")

# Most telling first; written as `_words` joins them.
NAMES = {
    "text": (
        *("text", "body", "content", "review", "comment", "message", "sentence", "document"),
        *("description", "utterance", "tweet", "post", "abstract", "question", "query", "prompt"),
        *("summary", "headline", "title"),
    ),
    "label": (
        *("label", "labels", "gold", "target", "class", "sentiment", "polarity", "intent"),
        *("emotion", "stance", "verdict", "rating", "stars", "overall", "tag", "y"),
    ),
    "domain": (
        *("domain", "genre", "tenant", "product", "platform", "source", "channel", "site"),
        *("market", "marketplace", "customer", "client", "department", "store", "brand", "corpus"),
        *("dataset", "project", "queue", "forum", "subreddit", "publisher", "country", "language"),
    ),
    "id": ("id", "uid", "guid", "uuid", "key", "index", "idx"),
}
# Names that hold classes in one file and domains in the next.
EITHER = ("category", "topic", "type", "kind", "group", "section", "subject")
PAIRS = (
    *(("text", "text pair"), ("text 1", "text 2"), ("text a", "text b")),
    *(("sentence 1", "sentence 2"), ("sentence a", "sentence b"), ("premise", "hypothesis")),
    *(("question 1", "question 2"), ("question", "answer"), ("question", "passage")),
    *(("question", "context"), ("query", "document"), ("query", "passage"), ("claim", "evidence")),
)
MAX_NAME_CHARACTERS = 64  # of a class or domain, usually


@dataclass(frozen=True)
class Guess:
    """A column taken for something.

    Args:
        column: The column.
        reason: Why, for people.
        others: Columns that might be it too.
    """

    column: Column
    reason: str
    others: tuple[str, ...] = ()


def guess_roles(columns: Sequence[Column], stated: Mapping[str, str | None]) -> dict[str, Guess]:
    """Say what the columns hold, as far as can be told.

    Args:
        columns: All columns.
        stated: Role -> column, where the user said so; `None`: there is none.

    Returns:
        Role (text, text_pair, label, domain, id, split) -> guess; without those that no column,
        or no single column, looks like.
    """
    by_name = {column.name: column for column in columns}
    guesses = {
        role: Guess(by_name[name], "as you said")
        for role, name in stated.items()
        if name in by_name
    }
    left = [column for column in columns if column.name not in stated.values()]

    def take(role: str, candidates: Sequence[Column], reason: str) -> None:
        if candidates and role not in guesses and role not in stated:
            others = tuple(column.name for column in candidates[1:])
            guesses[role] = Guess(candidates[0], reason, others)
            left.remove(candidates[0])

    take("split", [c for c in left if _is_split(c)], "its values name splits")
    if "text" not in stated and "text_pair" not in stated and (pair := _pair(left)):
        take("text", pair[:1], "its name, beside the other text")
        take("text_pair", pair[1:], "its name, beside the first text")
    named = [column for column in _named(left, NAMES["text"]) if column.mean_words]
    take("text", sorted(named, key=_by_length), "its name, and its texts are the longest")
    prose = [column for column in left if _is_prose(column)]
    take("text", sorted(prose, key=_by_length), "its texts are the longest")
    ids = _named(left, NAMES["id"])
    take("id", [column for column in ids if column.is_unique], "its name, and no value comes twice")
    for role in ("label", "domain"):
        fewest = 2 if role == "label" else 1
        named = [c for c in _named(left, NAMES[role]) if _is_category(c, fewest)]
        take(role, named, "its name")
    # What the names leave open goes by what is left: only where no choice is left.
    for role in ("label", "domain"):
        either = [column for column in _named(left, EITHER) if _is_category(column)]
        take(role, either if len(either) == 1 else [], "its name fits, and no other column's does")
    for role in ("label", "domain"):
        missing = [other for other in ("label", "domain") if other not in {*guesses, *stated}]
        categories = [column for column in left if _is_category(column)]
        if missing == [role] and len(categories) == 1:
            take(role, categories, "no other column has few different values")
    return guesses


def _words(name: str) -> list[str]:
    """`reviewText`, `Review text` and `review_text1` as words."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])", " ", name)
    return re.findall(r"[a-z]+|[0-9]+", split.casefold())


def _named(columns: Sequence[Column], names: Sequence[str]) -> list[Column]:
    """Columns with one of the names, or one whose last word is one; the most telling first."""
    ranks = {}
    for column in columns:
        words = _words(column.name)
        if " ".join(words) in names or "".join(words) in names:
            whole = " ".join(words)
            ranks[column.name] = names.index(whole if whole in names else "".join(words))
        elif words and words[-1] in names:
            ranks[column.name] = len(names) + names.index(words[-1])
    found = [column for column in columns if column.name in ranks]
    return sorted(found, key=lambda column: ranks[column.name])


def _pair(columns: Sequence[Column]) -> list[Column] | None:
    by_words = {" ".join(_words(column.name)): column for column in columns if column.mean_words}
    for first, second in PAIRS:
        if first in by_words and second in by_words:
            return [by_words[first], by_words[second]]
    return None


def _is_split(column: Column) -> bool:
    meant = {SPLIT_NAMES.get(value) for value in column.counts}
    return None not in meant and "train" in meant and len(meant) > 1


def _is_prose(column: Column) -> bool:
    return column.mean_words >= 3 and 2 * len(column.counts) > len(column.values)


def _is_category(column: Column, fewest: int = 2) -> bool:
    """Few values that come again and again."""
    most = min(MAX_LABELS, max(len(column.values) // 2, 2))
    return fewest <= len(column.counts) <= most and column.mean_characters <= MAX_NAME_CHARACTERS


def _by_length(column: Column) -> float:
    return -column.mean_words
