"""The sections that turn one recipe into many runs."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from easymft.config.method import SUPERVISED, MethodName
from easymft.config.section import Count, Section

Settings = dict[str, Any]
Names = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Sweep(Section):
    """Every method with every seed under every variation."""

    methods: Annotated[list[MethodName], Field(min_length=1)] = SUPERVISED
    """Rows of the table, in its order."""
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [1, 2, 3, 4, 5]
    """Every method runs once with each."""
    variations: Annotated[dict[Names, Settings], Field(min_length=1)] = {"all": {}}
    """Named changes of settings, a table each: {"5-percent": {"data.split.few_shot": {...}}}."""
    methods_of: dict[Names, list[MethodName]] = {}
    """Methods of a variation that has others than `methods`."""
    only: Annotated[list[Names], Field(min_length=1)] | None = None
    """Variations to run, as in `--set 'sweep.only=["5-percent"]'`; null: all."""
    per_method: dict[MethodName, Settings] = {}
    """Settings of one method only, such as a search found for it."""
    compare_with: list[MethodName] = ["single", "mix", "mix_then_fine_tune"]
    """Methods that every other is compared with."""
    compare_in: dict[Names, Names | list[Names]] = {}
    """Other variations that one is compared with, too: with their methods of `compare_with`, which
    stand in for those that it lacks."""
    results: str | None = None
    """Folder of a sweep whose finished runs count as done here: a copy of its predictions.parquet,
    results.parquet and config.json, from whichever machine."""

    @field_validator("only")
    @classmethod
    def _are_variations(cls, only: list[str] | None, info: ValidationInfo) -> list[str] | None:
        known = info.data.get("variations", {})
        if known and not set(only or ()) <= set(known):
            raise ValueError(f"must name variations: {', '.join(known)}")
        return only


class Search(Section):
    """Settings drawn from a space, judged on the development texts, the same number a method."""

    methods: Annotated[list[MethodName], Field(min_length=1)] = SUPERVISED
    """Methods to find settings for, each by itself."""
    space: Annotated[dict[str, Annotated[list[Any], Field(min_length=1)]], Field(min_length=1)]
    """Values of each setting; an object sets several settings that only make sense together."""
    trials: Count = 8
    """Settings tried per method; the first is the recipe itself."""
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [1]
    """Every trial runs once with each; their mean decides."""
    sampler: Literal["random", "tpe"] = "random"
    """How trials are chosen among the values. tpe: by what the trials before got (needs Optuna)."""
    draw: Annotated[int, Field(ge=0)] = 0
    """Seed of the drawing of trials."""
