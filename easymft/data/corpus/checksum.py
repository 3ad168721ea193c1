"""What tells whether a text is still the one that somebody decided on."""

import hashlib
from collections.abc import Sequence


def checksum(texts: Sequence[str]) -> str:
    """Return a short hash of a text, or of a pair, that no spreadsheet takes for a number."""
    digest = hashlib.sha256("\x1f".join(texts).encode("utf-8", "replace")).hexdigest()
    return f"h{digest[:12]}"
