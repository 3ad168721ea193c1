"""Classes that come up after a run, beside what it has learned of the others."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from easymft import files
from easymft.config.method import META_LEARNER
from easymft.data.batches.tokenized import TokenizedTexts
from easymft.data.corpus.parts import TRAINING_PARTS, joined_rows
from easymft.data.corpus.schema import UNKNOWN
from easymft.errors import InputError, did_you_mean, listed
from easymft.methods.familiarity import familiar, some_of_each, table_of
from easymft.methods.new_class import learn_class
from easymft.models.domain_parts import DomainParts
from easymft.runs.additions import (
    exported,
    folder_of,
    keep_facts,
    named,
    parts_of,
    read_texts,
    splits_of,
)
from easymft.runs.execution import at_work
from easymft.runs.run import Run

logger = logging.getLogger(__name__)


def add_class(run: Run, source: str, name: str) -> dict[str, Any]:
    """Teach a finished run a new class, and export it; the logits of the others stay, bit for bit.

    The class is learned from the file's texts, beside training texts of the run, which tell what is
    not of it.

    Args:
        run: A finished run whose domains have small parts.
        source: File or glob of labelled texts with the columns that the recipe names, some of the
            new class; texts of other classes, and of any domain, help.
        name: The new class.

    Returns:
        `texts`, of the file; `texts_of_class`; `domains` of these; and `models`, the export's
        newest versions.

    Raises:
        InputError: The run has no small parts, has the class, or the file cannot be used.
    """
    with at_work(run):
        parts, name, labels = parts_of(run), named(name, "class"), run.labels
        if name in labels:
            raise InputError(f"is a class of this run already ({listed(labels)})", field="--name")
        corpus, tokens = read_texts(run, source, (*labels, name))
        rows = splits_of(corpus)["train"]
        of_class = rows[tokens.labels[rows] == len(labels)]
        if not len(of_class):
            message = f"no text is of the class {name!r}, by which it could be learned"
            raise InputError(message, file=source, field=run.config.data.columns.label)
        domains = [corpus.domains[k] for k in np.unique(tokens.domains[of_class])]
        if unknown := sorted(set(corpus.domains) - set(parts.domains)):
            logger.warning("%s: no domains of this run, read by none's parts.", listed(unknown))
        own = _with_codes(tokens, corpus.domains, parts.domains)
        model = parts.beside(run.load(META_LEARNER))
        texts = [(own, rows), _training_texts(run, parts, domains)]
        run.keep_parts(parts.with_class(learn_class(model, texts, name), domains))
        if (known := run.familiarity()) is not None:
            one = _with_codes(tokens, corpus.domains, known.domains)
            one = dataclasses.replace(one, labels=np.zeros_like(one.labels))
            named_rows = of_class[one.domains[of_class] != UNKNOWN]
            new = familiar(table_of(model.backbone), one, named_rows, known.domains, 1)
            run.keep_familiarity(known.with_class(new))
        facts = {"texts": len(rows), "texts_of_class": len(of_class), "domains": domains}
        keep_facts(run, name, facts, "class")
        return {**facts, "models": exported(run)}


def remove_class(run: Run, name: str) -> dict[str, Any]:
    """Forget a class that was added, and export what is left.

    Returns:
        `models`, the export's newest versions.

    Raises:
        InputError: No such class was added.
    """
    with at_work(run):
        parts, name = parts_of(run), named(name, "class")
        if name not in parts.new_labels:
            message = f"must be a class that was added ({listed(parts.new_labels)})"
            message += f". Received: {name!r}{did_you_mean(name, parts.new_labels)}"
            raise InputError(message, field="--name")
        if (known := run.familiarity()) is not None:
            run.keep_familiarity(known.without_class(run.labels.index(name)))
        run.keep_parts(parts.without_class(name))
        files.remove(folder_of(run, name, "class"))
        return {"models": exported(run)}


def _training_texts(
    run: Run, parts: DomainParts, domains: Sequence[str]
) -> tuple[TokenizedTexts, np.ndarray]:
    """Return training texts of the run, where the new class may be mistaken for theirs.

    Args:
        run: The run.
        parts: Of its domains.
        domains: Those that have the new class, of those that do not have all.
    """
    data = run.data
    tokens = _with_codes(data.training_tokens, data.corpus.domains, parts.domains)
    rows = some_of_each(tokens, joined_rows(data.splits, TRAINING_PARTS), data.num_classes)
    sets = zip(parts.domains, parts.label_sets, strict=True)
    has = [own is None or domain in domains for domain, own in sets]
    # The last stands for a domain that is gone, whose code -1 picks it.
    return tokens, rows[np.array([*has, True])[tokens.domains[rows]]]


def _with_codes(
    tokens: TokenizedTexts, names: Sequence[str], known: Sequence[str]
) -> TokenizedTexts:
    """Return tokens with the codes of domains that a run's parts have, -1 for others."""
    codes = np.array([known.index(name) if name in known else UNKNOWN for name in names], np.int32)
    return dataclasses.replace(tokens, domains=codes[tokens.domains])
