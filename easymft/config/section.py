"""What every section of a recipe is, and the kinds of numbers in them."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

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
