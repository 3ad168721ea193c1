"""All models of a run as a folder that TensorFlow Serving can be pointed at."""

import gc
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from easymft.config.method import META_LEARNER
from easymft.data.batches.tokenized import preprocessor_fingerprint
from easymft.errors import InputError
from easymft.export.deployment import read_models_config, superseded, write_deployment
from easymft.export.op_check import check_ops
from easymft.export.precision import Precision
from easymft.export.saved_model import write_saved_model
from easymft.export.text_input import padded_lengths
from easymft.export.version_folder import (
    COMBINED,
    DOMAINS_FILE,
    LABELS_FILE,
    RULES_FILE,
    next_version,
    remove_versions,
    versions,
)
from easymft.export.warmup import write_warmup_requests
from easymft.files import TEMPORARY, read_json, slug, without_leftovers, write_json, write_text
from easymft.models import AdaptedTextClassifier, TextClassifier
from easymft.models.answer_rules import AnswerRules
from easymft.models.familiarity import Familiarity
from easymft.progress import progress_bar

logger = logging.getLogger(__name__)

SOURCE_FILE = "assets.extra/made_from.json"
CARD_FILE = "README.md"
_FORMAT = 4  # of the graphs: rises when the same models give another one

# Of a model's key, and None for all of them combined.
Card = Callable[[str | None], str]


def export_run(
    models: Mapping[str, TextClassifier],
    preprocessor: Any,
    labels: Sequence[str],
    domains: Sequence[str],
    folder: Path,
    pair: bool = False,
    card: Card | None = None,
    *,
    combined: AdaptedTextClassifier | None = None,
    single: bool = True,
    rules: Callable[[str | None], AnswerRules] | None = None,
    familiarity: Familiarity | None = None,
    precision: Precision = "auto",
    sources: Mapping[str | None, str] | None = None,
    remove_superseded: bool = False,
) -> list[Path]:
    """Export all models as `combined`, which picks by domain, and each by itself.

    Each becomes a new version `<folder>/<model>/<version>/`, staged and checked before it appears.
    With `sources`, a model whose newest version was made from the same weights, names and libraries
    stays as it is, so an export that was interrupted goes on with the models that are missing.
    Names of domains become file names as of `model_names`.

    Args:
        models: Trained models by domain name, and the meta-learner under `"meta-learner"`. Either
            may be missing; a domain without a model is answered by the meta-learner. Each is asked
            for when it is exported and then let go, so a mapping that loads them holds one at a
            time (and all of them for `combined`).
        preprocessor: From `easymft.models.backbone.load_preprocessor`, with the `max_length` of
            training.
        labels: Class names in the order of the codes in training.
        domains: Domain names in the order of the codes in training.
        folder: The export folder; made if missing.
        pair: Whether the models read text pairs.
        card: Gives the text of a model's card, a Markdown file in its folder, for each key of
            `models`, and for `None` that of `combined`. Without it there are no cards.
        combined: The meta-learner with parts of all `domains` beside it, which `combined` is
            then made of.
        single: Whether each of `models` is exported by itself, too.
        rules: Gives the temperatures and thresholds of a model, for each key of `models`, and for
            `None` those of `combined`. Without it there are none.
        familiarity: What texts are like those of training. Without it the graphs do not tell.
        precision: What encoders are stored in and compute with: `"float32"`, `"bfloat16"`,
            `"int8"`, or `"auto"`, as each was trained; see `easymft.export.precision`.
        sources: For each key of `models` what tells its weights from others, such as a hash of
            the file it is loaded from; for `None` of `combined`, if that is given. Without it
            every export is a new version.
        remove_superseded: Remove versions that no server reads any more: all but the newest, the
            one before, and what `models.config` asks for.

    Returns:
        The newest version's folder of each model; that of `combined` is the last.

    Raises:
        InputError: A graph has an op that a server lacks, a name cannot stand in a text file, or
            `models.config` cannot be read.
    """
    for field, given in (("labels", labels), ("domains", domains)):
        for name in given:
            if "\n" in name or "\r" in name:
                raise InputError(f"a line break in a name. Received: {name!r}", field=field)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names: dict[str | None, str] = {**(model_names(models) if single else {}), None: COMBINED}
    config = read_models_config(folder)
    exporter = _Exporter(
        *(models, combined, preprocessor, labels, domains, pair, rules, familiarity),
        *(precision, sources),
    )
    paths = []
    with (
        without_leftovers(folder, f"**/{TEMPORARY}*"),
        progress_bar("export", len(names), unit="model") as bar,
    ):
        for key, name in names.items():
            paths.append(exporter.export(folder / name, key, card and card(key)))
            if remove_superseded:
                numbers = versions(folder / name)
                remove_versions(folder / name, superseded(config, name, numbers))
            bar.update()
    write_deployment(folder, list(names.values()), labels, domains, pair=pair)
    if exporter.kept:
        logger.info("%d of %d models were exported before.", exporter.kept, len(names))
    return paths


def model_names(keys: Sequence[str] | Mapping[str, Any]) -> dict[str, str]:
    """Return a file-safe, distinct name on the server for each key of `export_run`'s models.

    Letters, digits, `.`, `_` and `-` stay; names that would be the same get a number.
    """
    names: dict[str, str] = {META_LEARNER: META_LEARNER, "": COMBINED}
    for key in keys:
        base = name = slug(key)
        number = 1
        # Without regard to case, as some file systems are.
        while key not in names and name.lower() in map(str.lower, names.values()):
            number += 1
            name = f"{base}-{number}"
        names.setdefault(key, name)
    return {key: names[key] for key in keys}


class _Exporter:
    """Exports the models of one run; arguments as of `export_run`.

    Attributes:
        kept: Number of models that needed no new version.
    """

    def __init__(
        self,
        models: Mapping[str, TextClassifier],
        combined: AdaptedTextClassifier | None,
        preprocessor: Any,
        labels: Sequence[str],
        domains: Sequence[str],
        pair: bool,
        rules: Callable[[str | None], AnswerRules] | None,
        familiarity: Familiarity | None,
        precision: Precision,
        sources: Mapping[str | None, str] | None,
    ):
        self._models, self._preprocessor, self._sources = models, preprocessor, sources
        self._rules = rules or (lambda key: AnswerRules.none(domains))
        self._familiarity = familiarity and familiarity.of_domains(domains)
        # Every model of one graph is to be run by a warm-up request.
        self._combined, self._routes = models, domains
        if combined is not None:
            self._combined, self._routes = {META_LEARNER: combined}, domains[:1]
        self._labels, self._domains, self._pair = labels, domains, pair
        self._precision = precision
        self._shared = {
            **_shared_source(preprocessor, labels, domains, pair),
            "familiarity": self._familiarity and self._familiarity.fingerprint(),
            "precision": precision,
        }
        self.kept = 0

    def export(self, model_folder: Path, key: str | None, card: str | None) -> Path:
        """Return the newest version of a model, or of `combined`; made now where it must be."""
        made_from = self._made_from(key)
        path = _newest(model_folder)
        if path is not None and made_from is not None and _written_source(path) == made_from:
            self.kept += 1
        else:
            path = self._new_version(model_folder, key, made_from)
            gc.collect()  # traced graphs hold the model, in circles
        if card is not None:
            write_text(path / CARD_FILE, card)
        return path

    def _made_from(self, key: str | None) -> dict[str, Any] | None:
        if self._sources is None:
            return None
        shared = {**self._shared, "rules": self._rules(key).to_dict()}
        if key is None and key in self._sources:
            return {**shared, "combined": self._sources[key]}
        keys = self._models if key is None else [key]
        return {**shared, "models": {key: self._sources[key] for key in keys}}

    def _new_version(
        self, model_folder: Path, key: str | None, made_from: dict[str, Any] | None
    ) -> Path:
        labels, domains, pair = self._labels, self._domains, self._pair
        models = self._combined if key is None else self._models[key]
        routes = self._routes if key is None else None
        with next_version(model_folder) as new:
            write_saved_model(
                *(new.staging, models, self._preprocessor, labels, domains),
                pair=pair,
                home=key if key in domains else None,
                rules=self._rules(key),
                familiarity=self._familiarity,
                precision=self._precision,
            )
            check_ops(new.staging)
            lengths = padded_lengths(self._preprocessor.sequence_length)
            write_warmup_requests(
                new.staging, model_folder.name, pair=pair, domains=routes, lengths=lengths
            )
            write_text(new.staging / LABELS_FILE, "".join(f"{label}\n" for label in labels))
            write_json(new.staging / RULES_FILE, self._rules(key).to_dict())
            write_text(new.staging / DOMAINS_FILE, "".join(f"{domain}\n" for domain in domains))
            if made_from is not None:
                source = {"made_from": made_from, "bytes": _sizes(new.staging)}
                write_json(new.staging / SOURCE_FILE, source)
        return new.path


def _shared_source(
    preprocessor: Any, labels: Sequence[str], domains: Sequence[str], pair: bool
) -> dict[str, Any]:
    """Return what decides a graph beside the weights."""
    import keras
    import tensorflow as tf

    return {
        "format": _FORMAT,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "preprocessor": preprocessor_fingerprint(preprocessor),
        "max_length": preprocessor.sequence_length,
        "labels": list(labels),
        "domains": list(domains),
        "pair": pair,
    }


def _newest(model_folder: Path) -> Path | None:
    numbers = versions(model_folder)
    return model_folder / str(numbers[-1]) if numbers else None


def _written_source(version: Path) -> Any:
    """Return what a version was made from; None where that is not known, or it is damaged."""
    try:
        written = read_json(version / SOURCE_FILE)
        return written["made_from"] if written["bytes"] == _sizes(version) else None
    # Made by hand, or by a release before this file.
    except (InputError, FileNotFoundError, LookupError, TypeError):
        return None


def _sizes(version: Path) -> dict[str, int]:
    """Return the bytes of each file of a graph and its weights."""
    files = [version / "saved_model.pb", *(version / "variables").iterdir()]
    return {path.name: path.stat().st_size for path in files}
