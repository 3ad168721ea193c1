"""Names that users gave, made fit to stand in a picture."""

import re
import unicodedata

# What XML cannot hold, and what would turn the direction of the text after it.
_UNDRAWABLE = re.compile("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f]")
_DIRECTION_CONTROLS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_EM = 12.0  # font size of a picture's text, in pixels


def clean(text: object) -> str:
    """Return a name on one line, without control characters."""
    line = " ".join(str(text).split())
    return _UNDRAWABLE.sub("\ufffd", _DIRECTION_CONTROLS.sub("", line))


def shorten(text: object, pixels: float) -> str:
    """Return a name on one line of about `pixels`: an ellipsis stands where its middle was cut.

    Names of a kind often begin alike, and many end alike.
    """
    line = cut = clean(text)
    kept = len(line)
    while kept and text_width(cut) > pixels:
        kept -= 1
        end = kept // 3
        tail = line[len(line) - end :].lstrip()
        while tail and unicodedata.combining(tail[0]):
            tail = tail[1:]
        cut = f"{line[: kept - end].rstrip()}…{tail}"
    return cut


def text_width(text: str) -> float:
    """Return a generous guess of the drawn width in pixels: the reader's font is unknown."""
    return _EM * sum(_character_width(character) for character in text)


def _character_width(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    return 0.75 if character.isupper() or character in "mw%@" else 0.6
