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
    roles = _Roles(columns, stated)
    splits = [column for column in roles.left if _is_split(column)]
    roles.take("split", splits, "its values name splits")
    _take_texts(roles)
    ids = [column for column in _named(roles.left, NAMES["id"]) if column.is_unique]
    roles.take("id", ids, "its name, and no value comes twice")
    _take_categories(roles)
    return roles.guesses


class _Roles:
    """Roles as they are filled, and the columns that are left.

    Args:
        columns: All columns.
        stated: Role -> column, where the user said so.
    """

    def __init__(self, columns: Sequence[Column], stated: Mapping[str, str | None]):
        by_name = {column.name: column for column in columns}
        self.guesses = {
            role: Guess(by_name[name], "as you said")
            for role, name in stated.items()
            if name in by_name
        }
        self.left = [column for column in columns if column.name not in stated.values()]
        self._stated = stated

    def is_open(self, role: str) -> bool:
        """Return whether a role has no column, and nobody said that there is none."""
        return role not in self.guesses and role not in self._stated

    def take(self, role: str, candidates: Sequence[Column], reason: str) -> None:
        """Give an open role the first candidate, if there is one."""
        if candidates and self.is_open(role):
            others = tuple(column.name for column in candidates[1:])
            self.guesses[role] = Guess(candidates[0], reason, others)
            self.left.remove(candidates[0])


def _take_texts(roles: _Roles) -> None:
    """Find the text, or both texts of a pair."""
    pair = _pair(roles.left)
    if pair and roles.is_open("text") and roles.is_open("text_pair"):
        roles.take("text", pair[:1], "its name, beside the other text")
        roles.take("text_pair", pair[1:], "its name, beside the first text")
    named = [column for column in _named(roles.left, NAMES["text"]) if column.mean_words]
    roles.take("text", sorted(named, key=_by_length), "its name, and its texts are the longest")
    prose = [column for column in roles.left if _is_prose(column)]
    roles.take("text", sorted(prose, key=_by_length), "its texts are the longest")


def _take_categories(roles: _Roles) -> None:
    """Find label and domain; what their names leave open goes to a column without a rival."""
    for role, fewest in (("label", 2), ("domain", 1)):
        named = [c for c in _named(roles.left, NAMES[role]) if _is_category(c, fewest)]
        roles.take(role, named, "its name")
    for role in ("label", "domain"):
        either = [column for column in _named(roles.left, EITHER) if _is_category(column)]
        if len(either) == 1:
            roles.take(role, either, "its name fits, and no other column's does")
    categories = [column for column in roles.left if _is_category(column)]
    missing = [role for role in ("label", "domain") if roles.is_open(role)]
    if len(missing) == len(categories) == 1:
        roles.take(missing[0], categories, "no other column has few different values")


def _words(name: str) -> list[str]:
    """Return `reviewText`, `Review text` and `review_text1` as words."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])", " ", name)
    return re.findall(r"[a-z]+|[0-9]+", split.casefold())


def _named(columns: Sequence[Column], names: Sequence[str]) -> list[Column]:
    """Return the columns whose name, or its last word, is one of these; most telling first."""
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
    """Return whether a column holds few values that come again and again."""
    most = min(MAX_LABELS, max(len(column.values) // 2, 2))
    return fewest <= len(column.counts) <= most and column.mean_characters <= MAX_NAME_CHARACTERS


def _by_length(column: Column) -> float:
    return -column.mean_words
