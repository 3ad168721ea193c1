"""The section about the method, with its two faithful readings."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from easymft.config.section import Fraction, Positive, Section

# The two faithful readings of the method; app_zoo/README.md says where they differ.
VARIANTS: dict[str, dict[str, Any]] = {
    "paper": {
        "typicality_variant": "paper",
        "corruption": "uniform",
        "shared_corruption_head": False,
        "weighted_corruption": True,
        "corruption_pools_padding": False,
        "corruption_in_evaluation": False,
        "weighted_evaluation": False,
        "loss_normalization": "batch",
        "keep_class_head": True,
    },
    "easytransfer": {
        "typicality_variant": "easytransfer",
        "corruption": "shuffle",
        "shared_corruption_head": True,
        "weighted_corruption": False,
        "corruption_pools_padding": True,
        "corruption_in_evaluation": True,
        "weighted_evaluation": True,
        "loss_normalization": "nonzero",
        "keep_class_head": False,
    },
}
# What the text embedding E(x) is, which the methods beside MFT read too: `backbone.pooling`.
POOLING_OF_VARIANT = {"easytransfer": "pooler"}


class MFT(Section):
    """Meta fine-tuning. `variant` sets every switch below it that the recipe leaves unsaid."""

    # Nothing is required of a recipe: the variant fills in what has no default here.
    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("required"))

    variant: Literal["paper", "easytransfer"] = "paper"
    """The paper's formulas, or the code released with EasyTransfer."""
    alpha: Fraction = 0.5
    """Share of the own domain's centroid in the typicality."""
    clip: float | None = 0.0
    """Lower bound of the typicality; null keeps negative values."""
    normalize: bool = False
    """Divide typicalities by their mean, so that the label loss keeps its scale."""
    refresh_typicality: bool = False
    """Score the texts anew before every epoch, with the encoder as it is then (an extension)."""
    typicality_from: Literal["pretrained", "meta_learner", "cross_fitted"] = "pretrained"
    """Whose E(x) typicality is told by: the encoder as it was pre-trained, as in the paper; or (an
    extension) one that has first learned the task by plain mixing: from all training texts, or, so
    that it did not learn a text's wrong label, from those outside the text's fold."""
    typicality_folds: Annotated[int, Field(ge=2, le=20)] = 3
    """Folds of cross_fitted; each costs a training."""
    class_weights: list[Positive] | None = None
    """One weight per class, so that other classes' centroids count too (an extension)."""
    corruption_weight: Annotated[float, Field(ge=0)] = 0.1
    """Weight of the domain corruption loss (lambda)."""
    corruption_layers: list[Annotated[int, Field(ge=0)]] | None = None
    """Encoder layers with a corruption head, from 0; null: every third layer (2, 5, ...)."""
    typicality_variant: Literal["paper", "easytransfer"]
    """Mean of the cosines to the other domains' centroids, or one cosine to their mean."""
    corruption: Literal["uniform", "shuffle", "other"]
    """How corrupted labels are drawn: of all domains, the batch's own shuffled, a wrong one."""
    shared_corruption_head: bool
    """One corruption head for all layers instead of one per layer."""
    weighted_corruption: bool
    """Weight the corruption loss of a text by its typicality, as the label loss is."""
    corruption_pools_padding: bool
    """Average padding too when a layer's text representation is made."""
    corruption_in_evaluation: bool
    """Add the corruption loss to the evaluation loss."""
    weighted_evaluation: bool
    """Weight the evaluation loss by typicality."""
    loss_normalization: Literal["batch", "nonzero"]
    """Divide the weighted label loss by the batch size, or by the number of non-zero weights."""
    keep_class_head: bool
    """Start fine-tuning from the meta-learner's class head instead of a fresh one."""

    @property
    def scores_by_task(self) -> bool:
        """Whether texts are scored by encoders that have learned the task."""
        return self.typicality_from != "pretrained"

    @model_validator(mode="after")
    def _check_encoder(self) -> "MFT":
        if self.refresh_typicality and self.scores_by_task:
            message = "`refresh_typicality` scores by the encoder in training; leave it false, or "
            raise ValueError(f'{message}take `typicality_from` "pretrained"')
        return self

    @model_validator(mode="before")
    @classmethod
    def _fill_variant(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        variant = given.get("variant", "paper")
        # A wrong variant (of any type, so no dict look-up) is reported by the field itself.
        return {**VARIANTS[variant if variant in list(VARIANTS) else "paper"], **given}
