"""Which code page a text was written in that is not UTF-8."""

# ruff: noqa: RUF001 (signs and letters of other languages look like ours)

import itertools
import re
from dataclasses import dataclass

WESTERN = "cp1252"  # latin-1, with the punctuation of Windows

# What each language writes beyond ASCII, as far as the Western code page has it; the last two for
# loan words and names of several languages in one line.
_LETTERS = (
    *("äöüßéàè", "àâæçéèêëîïôœùûüÿ", "áéíñóúüªº", "ãáàâçéêíóôõúªº", "àèéìíîòóùúªº"),
    *("éëïóöüèêáíúç", "åäöéüà", "æøåéäöü", "áæðéíóöþúý", "àçèéíïòóúü", "äöõüšž"),
    *("áàâäãçéèêëíïñóôöúüß", "áéíóöúüýšžç"),
)
_LANGUAGES = tuple(frozenset(letters + letters.upper()) for letters in _LETTERS)
# Few signs stand between small letters (a hyphen, an apostrophe, dots), and no capital behind one.
_MISPLACED = re.compile(
    r"(?<=[a-zà-ÿ])(?:[ŠŒŽŸÀ-ÖØ-Þ]|[‚„†‡‰‹›€•“”¹²³¼½¾¿¡¢£¤¥¦§©ª«¬®¯°±¶\xb8º»÷\xd7�](?=[a-zà-ÿ]))"
)
# Share of letters that no language explains, and how many at least, for a text to be no Western
# one: measured on sentences of 30 languages, 0 for Western ones, 0.07 to 1 for others.
MAX_ODD_SHARE = 0.05
MIN_ODD = 3

# Share of the bytes beyond ASCII in words that have any: 0.14 to 0.50 in Latin letters, 0.71 and
# more in others. The code pages of Latin letters are too much alike to be told apart.
MIN_FOREIGN_SHARE = 0.6
# Of less than that, or of two code pages as close as that, the likelier one is a mere guess.
MIN_BYTES = 200
MAX_CHAOS = 0.1
MIN_CHAOS_LEAD = 0.08
MIN_COHERENCE_LEAD = 0.15
# Capitals behind small letters show that a code page has the right letters at wrong places.
MAX_CAPITAL_SHARE = 0.02


@dataclass(frozen=True)
class Guess:
    """A code page.

    Args:
        codec: Name of the Python codec of the likeliest; None: none is likely.
        is_certain: Whether another would make no sense of the text.
    """

    codec: str | None
    is_certain: bool


def guess_code_page(sample: bytes) -> Guess:
    """Return the code page of a text.

    Args:
        sample: Lines of the text that hold other bytes than ASCII.
    """
    if _is_western(sample):
        return Guess(WESTERN, is_certain=True)
    # An import that only odd files need.
    from charset_normalizer import from_bytes

    found = from_bytes(sample, preemptive_behaviour=False)
    matches = [match for match in found if match.encoding != WESTERN]
    if not matches:
        return Guess(None, is_certain=False)
    best, text = matches[0], str(matches[0])
    rivals = [match for match in matches[1:] if str(match) != text]
    is_certain = (
        _foreign_share(sample) >= MIN_FOREIGN_SHARE
        and sum(byte > 127 for byte in sample) >= MIN_BYTES
        and best.chaos < MAX_CHAOS
        and _capital_share(text) < MAX_CAPITAL_SHARE
        and all(
            rival.chaos - best.chaos >= MIN_CHAOS_LEAD
            or best.coherence - rival.coherence >= MIN_COHERENCE_LEAD
            for rival in rivals
        )
    )
    return Guess(best.encoding, is_certain)


def _is_western(sample: bytes) -> bool:
    """Return whether nearly every line is written with the letters of one Western language."""
    odd = letters = 0
    for line in sample.decode(WESTERN, "replace").split("\n"):
        beyond = [letter for letter in line if letter > "\x7f" and letter.isalpha()]
        misplaced = len(_MISPLACED.findall(line))
        unexplained = min(sum(c not in language for c in beyond) for language in _LANGUAGES)
        odd += unexplained + misplaced
        letters += len(beyond) + misplaced
    few = odd < MIN_ODD and _foreign_share(sample) < MIN_FOREIGN_SHARE
    return few or odd <= MAX_ODD_SHARE * letters


def _foreign_share(sample: bytes) -> float:
    """Return the share of bytes beyond ASCII in the words that hold any."""
    words = [word for word in re.findall(rb"[A-Za-z\x80-\xff]+", sample) if not word.isascii()]
    return sum(byte > 127 for word in words for byte in word) / max(sum(map(len, words)), 1)


def _capital_share(text: str) -> float:
    """Return the share of words beyond ASCII in which a capital follows a small letter."""
    words = re.findall(r"[^\x00-\x7f\W\d_]{2,}", text)
    mixed = [any(a.islower() and b.isupper() for a, b in itertools.pairwise(w)) for w in words]
    return sum(mixed) / max(len(words), 1)
