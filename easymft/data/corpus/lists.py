"""Texts given as Python lists, to be answered."""

from collections.abc import Mapping, Sequence

from easymft.data.corpus.corpus_builder import CorpusBuilder
from easymft.data.corpus.rows import is_missing, row_faults, to_name
from easymft.data.corpus.schema import Corpus
from easymft.errors import InputError, Problems

FIELDS = {role: f"{role}s" for role in ("text", "text_pair", "label", "domain")}


def unlabelled(columns: Mapping[str, Sequence[object]]) -> tuple[Corpus, list[str | None]]:
    """Return texts to answer, and their domains' names, None where one is missing.

    Any text has an answer, also one that is empty, holds NUL, or is too long to learn from: that
    of an exported model, which reads a text's beginning.

    Args:
        columns: Lists by role: `text`, perhaps `domain`, and `text_pair` for pairs of texts.

    Raises:
        InputError: The lists differ in length, a text is none, or a domain neither text nor number.
    """
    check_lengths(columns, FIELDS)
    problems = Problems()
    for role, values in columns.items():
        for row, value in enumerate(values):
            if isinstance(value, str) or (role == "domain" and is_missing(value)):
                continue
            for _, fault in row_faults({role: value}):
                problems.add(fault, field=f"{FIELDS[role]}[{row}]")
    problems.raise_if_any()
    count = len(columns["text"])
    domains = columns.get("domain", [None] * count)
    texts = {
        # As exported models do with half a surrogate pair, and with NUL, at which some graphs stop.
        role: [str(text).encode("utf-8", "replace").decode().replace("\0", "") for text in values]
        for role, values in columns.items()
        if role != "domain"
    }
    nothing = ["0"] * count
    builder = CorpusBuilder()
    builder.add({"id": nothing, **texts, "label": nothing, "domain": nothing})
    return builder.finish(name="lists", origin="Python lists"), list(map(to_name, domains))


def check_lengths(columns: Mapping[str, Sequence[object]], fields: Mapping[str, str]) -> None:
    """Raise an `InputError` unless all columns have as many values as there are texts.

    Args:
        columns: As of `unlabelled`.
        fields: What errors call each role.
    """
    count = len(columns["text"])
    for role, values in columns.items():
        if len(values) != count:
            raise InputError(
                f"must have one value for each of the {count} texts. Received: {len(values)}",
                field=fields[role],
            )
    if not count:
        raise InputError("must hold at least one text. Received: none", field=fields["text"])
