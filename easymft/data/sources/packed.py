r"""A corpus with its token ids in one folder, for machines that have no tokenizer.

    python -m easymft.run --config app_zoo/few_shot_table.json --mode pack --output packed
    KERAS_BACKEND=jax python -m easymft.run --config app_zoo/few_shot_table.json \
        --set data.source=packed --set data.dir=packed

The second command needs neither TensorFlow nor TensorFlow Text.
"""

import dataclasses
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from easymft import files
from easymft.data.batches.tokenized import TokenizedTexts
from easymft.data.corpus.intake import checked
from easymft.data.corpus.schema import Corpus
from easymft.errors import InputError

NAME = "packed"
_TEXTS, _TOKENS = "corpus.parquet", "tokens"
_KEY = b"easymft"


def write_packed(folder: str | os.PathLike, corpus: Corpus, tokens: TokenizedTexts) -> None:
    """Write a corpus and its tokens as one new folder, all or nothing.

    Raises:
        InputError: The folder is there already.
    """
    if Path(folder).exists():
        raise InputError("is there already; choose another --output", file=folder)
    facts = {
        field.name: getattr(corpus, field.name)
        for field in dataclasses.fields(corpus)
        if field.name != "table"
    }
    table = corpus.table.replace_schema_metadata({_KEY: json.dumps(facts).encode()})
    with files.staged(folder) as temporary:
        temporary.mkdir()
        pq.write_table(table, temporary / _TEXTS)
        tokens.save(temporary / _TOKENS)


def read_corpus(folder: str | os.PathLike) -> Corpus:
    """Read the corpus that `write_packed` wrote.

    Raises:
        InputError: The folder is not such a folder.
        InputErrors: Texts, labels, domains or ids in it cannot be used.
    """
    path = Path(folder) / _TEXTS
    try:
        table = pq.read_table(path)
        facts = json.loads(table.schema.metadata[_KEY])
        lists = {key: tuple(facts.pop(key)) for key in ("labels", "domains", "notes")}
        corpus = Corpus(table.replace_schema_metadata(None), **lists, **facts)
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        reason = str(error).split("\n")[0]
        message = f"is not a folder that `--mode pack` wrote ({reason})"
        raise InputError(message, file=folder, field="data.dir") from None
    return checked(corpus, str(path))


def read_tokens(folder: str | os.PathLike, max_length: int, texts: int) -> TokenizedTexts:
    """Read the tokens that `write_packed` wrote.

    Args:
        folder: The folder.
        max_length: The length that the recipe wants.
        texts: How many texts the corpus in use has.

    Raises:
        InputError: They were cut to another length, or are those of another number of texts.
    """
    try:
        tokens = TokenizedTexts.load(Path(folder) / _TOKENS)
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).split("\n")[0]
        message = f"its tokens cannot be read ({reason}); pack it anew"
        raise InputError(message, file=folder) from None
    if tokens.max_length != max_length:
        raise InputError(
            f"was packed with {tokens.max_length} word pieces; pack it anew, or set this to that. "
            f"Received: {max_length}",
            file=folder,
            field="backbone.max_length",
        )
    if len(tokens) != texts:
        raise InputError(
            f"holds tokens of {len(tokens)} texts for {texts}; limit the texts when packing",
            file=folder,
            field="data.limit_per_domain",
        )
    return tokens
