"""All models of a run as a folder that TensorFlow Serving can be pointed at."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from easymft.config.method import META_LEARNER
from easymft.errors import InputError
from easymft.export.deployment import write_deployment
from easymft.export.op_check import check_ops
from easymft.export.saved_model import write_saved_model
from easymft.export.version_folder import next_version
from easymft.export.warmup import write_warmup_requests
from easymft.files import slug, write_text
from easymft.models import TextClassifier
from easymft.progress import progress_bar

COMBINED = "combined"
LABELS_FILE = "assets.extra/labels.txt"
DOMAINS_FILE = "assets.extra/domains.txt"
CARD_FILE = "README.md"

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
) -> list[Path]:
    """Export every model by itself, and all of them as `combined`, which picks by domain.

    Each becomes a new version `<folder>/<model>/<version>/`, staged and checked before it appears;
    earlier versions stay. Names of domains become file names as of `model_names`.

    Args:
        models: Trained models by domain name, and the meta-learner under `"meta-learner"`. Either
            may be missing; a domain without a model is answered by the meta-learner.
        preprocessor: From `easymft.models.backbone.load_preprocessor`, with the `max_length` of
            training.
        labels: Class names in the order of the codes in training.
        domains: Domain names in the order of the codes in training.
        folder: The export folder; made if missing.
        pair: Whether the models read text pairs.
        card: Gives the text of a model's card, a Markdown file in its folder, for each key of
            `models`, and for `None` that of `combined`. Without it there are no cards.

    Returns:
        The new version folders; that of `combined` is the last.

    Raises:
        InputError: A graph has an op that a server lacks, or a name cannot stand in a text file.
    """
    for field, names in (("labels", labels), ("domains", domains)):
        for name in names:
            if "\n" in name or "\r" in name:
                raise InputError(f"a line break in a name. Received: {name!r}", field=field)
    names = model_names(models)
    paths = []
    everything = [*models.items(), (None, models)]
    with progress_bar("export", len(everything), unit="model") as bar:
        for key, model in everything:
            name = COMBINED if key is None else names[key]
            text = card(key) if card else None
            paths.append(_export(folder, name, model, preprocessor, labels, domains, pair, text))
            bar.update()
    write_deployment(folder, [*names.values(), COMBINED], labels, domains, pair=pair)
    return paths


def model_names(keys: Sequence[str] | Mapping[str, Any]) -> dict[str, str]:
    """File-safe, distinct name on the server for each key of `export_run`'s models.

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


def _export(
    folder: Path,
    name: str,
    models: TextClassifier | Mapping[str, TextClassifier],
    preprocessor: Any,
    labels: Sequence[str],
    domains: Sequence[str],
    pair: bool,
    card: str | None,
) -> Path:
    routed = isinstance(models, Mapping)
    with next_version(folder / name) as new:
        write_saved_model(new.staging, models, preprocessor, labels, domains, pair=pair)
        check_ops(new.staging)
        write_warmup_requests(new.staging, name, pair=pair, domains=domains if routed else None)
        write_text(new.staging / LABELS_FILE, "".join(f"{label}\n" for label in labels))
        write_text(new.staging / DOMAINS_FILE, "".join(f"{domain}\n" for domain in domains))
        if card is not None:
            write_text(new.staging / CARD_FILE, card)
    return new.path
