"""What distinguishes one row of the paper's table from another: every method, declared once.

No Keras here: the command line, the schema and the recipes ask a method's name and settings before
anything is started. `easymft.methods.meta_learner` makes the models.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from easymft.config.training import FineTune, Phase

Term = Literal["typicality", "corruption", "adversary"]

# The meta-learner among models that are called after their domains: checkpoints, exports, cards.
META_LEARNER = "meta-learner"
# What self-training begins with, kept beside what it ends with.
FIRST_LEARNER = "first-learner"
# The small parts of all domains, in one file, where domains have no models of their own.
DOMAIN_PARTS = "parts"
# Which model made a prediction: keys of metrics.json and diagnostics.json, values of the column
# `model` of predictions.parquet.
BY_META_LEARNER = "meta_learner"
BY_FINE_TUNED = "fine_tuned"

# Settings that mean something only to methods with that term in their loss.
_SETTINGS: dict[Term, tuple[str, ...]] = {
    "typicality": (
        "mft.alpha",
        "mft.clip",
        "mft.normalize",
        "mft.refresh_typicality",
        "mft.typicality_from",
        "mft.typicality_folds",
        "mft.typicality_variant",
        "mft.class_weights",
        "mft.weighted_evaluation",
    ),
    "corruption": (
        "mft.corruption",
        "mft.corruption_weight",
        "mft.corruption_layers",
        "mft.corruption_in_evaluation",
        "mft.corruption_pools_padding",
        "mft.shared_corruption_head",
        "mft.weighted_corruption",
    ),
    "adversary": ("adversary.strength",),
}

_TRAINING = ("meta_fine_tune", "fine_tune", "optimizer", "dropout", "mft")


@dataclass(frozen=True)
class Method:
    """A method: which model learns from all domains mixed, and whether each domain gets its own.

    All methods see the same number of training texts: where a method has one phase only, that
    phase runs for the epochs of both.

    Attributes:
        name: Its name in recipes.
        title: Its name in the paper's table.
        model: Kind of the model of the mixed phase; `None`: there is no such phase. "frozen" and
            "tfidf" are logistic regressions on features that nothing is trained for.
        fine_tunes: Whether every domain fine-tunes its own copy.
        terms: What its loss has beside the plain cross-entropy.
        self_trains: Whether its mixed phase goes on with texts that have no label.
    """

    name: str
    title: str
    model: Literal["plain", "multi_task", "adversarial", "mft", "frozen", "tfidf"] | None
    fine_tunes: bool = False
    terms: tuple[Term, ...] = ()
    self_trains: bool = False

    @property
    def uses_typicality(self) -> bool:
        """Whether typicality weights the mixed phase."""
        return "typicality" in self.terms

    @property
    def answers_any_domain(self) -> bool:
        """Whether its meta-learner answers for a text of an unknown domain, or of none."""
        return self.model in ("plain", "adversarial", "mft")

    @property
    def has_encoder(self) -> bool:
        """Whether its models read texts through an encoder."""
        return self.model != "tfidf"

    @property
    def trains_encoder(self) -> bool:
        """Whether its phases are epochs of gradient steps."""
        return self.model not in ("frozen", "tfidf")

    @property
    def answers_by(self) -> str:
        """Return which of its models its row of the table stands for."""
        return BY_FINE_TUNED if self.fine_tunes else BY_META_LEARNER

    def phases(self, mixed: Phase, own: FineTune) -> tuple[Phase | None, FineTune | None]:
        """Return the mixed and the per-domain phase that a recipe's two become for this method.

        `None` stands for a phase that the method does not have, or that has no epochs in it.
        """
        if not self.trains_encoder:
            return None, None
        both = {"epochs": mixed.epochs + own.epochs}
        if self.model is None:
            return None, own.model_copy(update={**both, "parts": "all"})
        if not self.fine_tunes:
            return mixed.model_copy(update=both), None
        return mixed, own.in_force()

    def has_parts(self, own: FineTune) -> bool:
        """Return whether domains have small parts beside its meta-learner, in place of copies.

        Args:
            own: A recipe's `fine_tune`.
        """
        if not (self.fine_tunes and self.model is not None):
            return False
        return own.parts != "all" or not self.trains_encoder

    def reads(self, key: str) -> bool:
        """Return whether the setting `section.key` of a recipe changes anything for this method."""
        for term, keys in _SETTINGS.items():
            if key in keys:
                return term in self.terms
        section, _, name = key.partition(".")
        if not self.trains_encoder and section in _TRAINING:
            # What is fitted at once has weights, and a head per domain where there is an encoder.
            return name == "class_balance" and (section == "meta_fine_tune" or self.has_encoder)
        if section == "adapt":
            return self.has_encoder
        if key == "self_train.weight_by":
            return self.self_trains and not self.uses_typicality
        if section == "self_train":
            return self.self_trains
        if key == "mft.keep_class_head" or name == "epochs":
            # Where there is one phase it runs for the epochs of both.
            return self.model is not None and self.fine_tunes
        if section == "meta_fine_tune":
            return self.model is not None
        if key.startswith(("fine_tune.parts", "fine_tune.adapters")):
            return self.model is not None and self.fine_tunes
        if section == "fine_tune":
            return self.fine_tunes
        return True


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        # Two that need no training of an encoder: seconds of work to compare with.
        Method("tfidf", "TF-IDF, logistic regression", model="tfidf"),
        Method("embed", "Frozen encoder, logistic regression", model="frozen", fine_tunes=True),
        Method("single", "BERT (S)", model=None, fine_tunes=True),
        Method("mix", "BERT (Mix)", model="plain"),
        Method("mtl", "BERT (MTL)", model="multi_task"),
        Method("adv", "BERT (Adv)", model="adversarial", terms=("adversary",)),
        # Not in the paper: MFT's two phases with neither of its terms tells these apart.
        Method("mix_then_fine_tune", "Mix, then fine-tune", model="plain", fine_tunes=True),
        Method("mft_dc", "MFT (DC)", model="mft", fine_tunes=True, terms=("corruption",)),
        Method("mft_tw", "MFT (TW)", model="mft", fine_tunes=True, terms=("typicality",)),
        Method(
            "mft", "MFT (Full)", model="mft", fine_tunes=True, terms=("typicality", "corruption")
        ),
        # Not in the paper: these need texts without labels.
        Method("mix_self", "BERT (Mix), self-trained", model="plain", self_trains=True),
        Method(
            "mft_self",
            "MFT (Full), self-trained",
            model="mft",
            fine_tunes=True,
            terms=("typicality", "corruption"),
            self_trains=True,
        ),
    )
}

# Those that need nothing but labelled texts.
SUPERVISED = [name for name, method in METHODS.items() if not method.self_trains]

if TYPE_CHECKING:
    MethodName = str
else:  # for pydantic, which lists the names in the schema
    MethodName = Literal[tuple(METHODS)]
