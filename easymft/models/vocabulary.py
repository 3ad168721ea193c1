"""Names of classes and domains, and the codes that models know them by."""

from collections.abc import Sequence

import numpy as np

from easymft.data.corpus.rows import is_missing, to_name
from easymft.errors import InputError, Problems, did_you_mean, shown

UNKNOWN = -1  # a domain that the model was not trained on, or none


class Vocabulary:
    """Names in the order of their codes.

    Args:
        field: What errors call a value of it.
        argument: The argument of a model that names them.
        names: `None`: values come as codes.
        count: How many there are.

    Raises:
        InputError: Two names are the same, or there are not `count`.
    """

    def __init__(self, field: str, argument: str, names: Sequence[str] | None, count: int):
        self.field, self.argument, self.count = field, argument, count
        self.names = None if names is None else _checked(argument, names, count)
        self._codes = {name: code for code, name in enumerate(self.names or ())}

    def codes(self, values: Sequence[object], unknown: bool = False) -> np.ndarray:
        """Return the codes of names or codes, int32 `(texts,)`.

        Args:
            values: Text is a name, a whole number a code.
            unknown: Whether a value may be missing, or none of the vocabulary: `UNKNOWN`.

        Raises:
            InputError: A value is none of the vocabulary; names its place.
        """
        problems, codes = Problems(), np.full(len(values), UNKNOWN, np.int32)
        for row, value in enumerate(values):
            code = self._code(value)
            if code is not None:
                codes[row] = code
            elif not unknown or not (is_missing(value) or self._is_stranger(value)):
                problems.add(self._fault(value), field=f"{self.field}[{row}]")
        problems.raise_if_any()
        return codes

    def every_name(self) -> list[str]:
        """Return the names in the order of their codes."""
        return [self.name(code) for code in range(self.count)]

    def name(self, code: int) -> str:
        """Return the name of a code; its digits where codes have no names."""
        return str(code) if self.names is None else self.names[code]

    def _code(self, value: object) -> int | None:
        if isinstance(value, str):
            return self._codes.get(to_name(value) or "")
        name = to_name(value)
        code = None
        if isinstance(value, bool | np.bool_):
            code = int(value)
        elif name is not None and name.lstrip("-").isdigit():
            code = int(name)
        return code if code is not None and 0 <= code < self.count else None

    def _is_stranger(self, value: object) -> bool:
        """Return whether a value might be of a larger vocabulary."""
        if isinstance(value, str):
            return self.names is not None
        return to_name(value) is not None

    def _fault(self, value: object) -> str:
        if not isinstance(value, str):
            return f"must be a whole number from 0 to {self.count - 1}. Received: {shown(value)}"
        if self.names is None:
            return (
                f"is text, and the model has no names; make it with `{self.argument}`, a list of "
                f"{self.count}. Received: {shown(value)}"
            )
        hint = did_you_mean(value, self.names)
        return f"must be one of the model's `{self.argument}`. Received: {shown(value)}{hint}"


def _checked(argument: str, names: Sequence[str], count: int) -> list[str]:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise InputError(f"must be a list of texts. Received: {shown(names)}", field=argument)
    plain = [to_name(name) or "" for name in names]
    if len(plain) != count or len(set(plain)) != count or "" in plain:
        message = f"must be {count} different names. Received: {shown(list(names))}"
        raise InputError(message, field=argument)
    return plain
