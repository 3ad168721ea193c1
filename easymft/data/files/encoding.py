"""Which encoding a text file has."""

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from easymft.data.files.code_page import WESTERN, guess_code_page
from easymft.data.files.text_files import CHUNK_BYTES, Lines, open_bytes
from easymft.errors import InputError, shown

# A file in the encoding said to be its own may be damaged in a byte of a hundred.
MAX_UNDECODABLE_SHARE = 0.01
# Lines with other bytes than ASCII that a code page is told from.
SAMPLE_BYTES = 64_000

_NO_TEXT = {
    b"PK\x03\x04": "a zip archive or an Excel workbook; unpack it, or save the sheet as CSV",
    b"BZh91AY&SY": "packed with bzip2; unpack it, or pack it with gzip",
    b"\xfd7zXZ\x00": "packed with xz; unpack it, or pack it with gzip",
    b"\x28\xb5\x2f\xfd": "packed with Zstandard; unpack it, or pack it with gzip",
}
_JAPANESE_ESCAPE = b"\x1b$"
# What no codec makes of bytes, as it makes U+FFFD of those that say so.
_MARK = "\udfff"
_MARKING = "easymft-mark"
codecs.register_error(_MARKING, lambda error: (_MARK, error.end))
# UTF-32 first: its little-endian mark begins with that of UTF-16.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Encoding:
    """How a file's bytes become text.

    Args:
        codec: Name of the Python codec.
        note: What to tell the user, e.g. "UTF-8 with byte order mark (detected)".
        undecodable: Number of bytes (sequences) the codec cannot read; they become U+FFFD.
        size: Number of bytes, after decompression.
    """

    codec: str
    note: str
    undecodable: int
    size: int

    @property
    def is_damaged(self) -> bool:
        """Return whether so much is undecodable that the codec is wrong or the file broken."""
        return self.undecodable > MAX_UNDECODABLE_SHARE * self.size


def find_encoding(path: Path, stated: str) -> Encoding:
    """Take the stated encoding, or detect it when `stated` is "auto".

    Detection goes by the byte order mark, then by whether the whole file is UTF-8, maybe with some
    damage. A file that is not is in a code page: see `guess_code_page`.

    Raises:
        InputError: The file cannot be read or is no text, `stated` is no encoding, or it must be
            stated because it cannot be told for certain.
    """
    with open_bytes(path) as handle:
        head = handle.read(CHUNK_BYTES)
    for magic, kind in _NO_TEXT.items():
        if head.startswith(magic):
            raise InputError(f"is {kind}", file=path)
    if stated != "auto":
        codec = _codec(stated)
        undecodable, _, size = _try_decoding(path, codec)
        return Encoding(codec, f"{stated} (stated)", undecodable, size)
    for mark, codec in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            undecodable, _, size = _try_decoding(path, codec)
            name = codec.removesuffix("-sig").upper()
            return Encoding(codec, f"{name} with byte order mark", undecodable, size)
    if head.count(0) > max(3, len(head) // 100):
        raise InputError(
            "holds many zero bytes: UTF-16 without a byte order mark, or no text at all; state"
            " its encoding (utf-16-le, utf-16-be)",
            file=path,
            field="data.encoding",
        )
    if _JAPANESE_ESCAPE in head:
        raise InputError(
            "holds the escapes of a seven-bit encoding of Asia; state it (most likely iso2022_jp)",
            file=path,
            field="data.encoding",
        )
    undecodable, foreign, size = _try_decoding(path, "utf-8")
    if undecodable <= foreign:
        return Encoding("utf-8", "UTF-8 (detected)", undecodable, size)
    codec, note = _code_page(path)
    undecodable, _, size = _try_decoding(path, codec)
    return Encoding(codec, note, undecodable, size)


def _code_page(path: Path) -> tuple[str, str]:
    """Return the codec of a text that is not UTF-8, and what to tell the user.

    Raises:
        InputError: It is not certain.
    """
    sample = b""
    with open_bytes(path) as handle:
        for _, line in Lines(handle, path).numbered(lambda message, line: None):
            if not line.isascii():
                sample += line[:SAMPLE_BYTES]
            if len(sample) > SAMPLE_BYTES:
                break
    guess = guess_code_page(sample)
    if guess.is_certain:
        return guess.codec, f"not UTF-8, read as {guess.codec} (guessed)"
    likeliest = ""
    if guess.codec is not None:
        beginning = sample.decode(guess.codec, "replace").split("\n")[0].strip()
        likeliest = f"; the likeliest is {guess.codec}, which reads {shown(beginning)}"
    raise InputError(
        f"is neither UTF-8 nor a Western text ({WESTERN}); state its encoding{likeliest}",
        file=path,
        field="data.encoding",
    )


def _codec(stated: str) -> str:
    """Return the name of the codec that a recipe states."""
    try:
        codec = codecs.lookup(stated).name
        # Some codecs turn bytes into bytes, or cannot go on after an error.
        is_text = isinstance(codecs.getincrementaldecoder(codec)("replace").decode(b"a\n"), str)
    except (LookupError, ValueError, AssertionError, TypeError):
        is_text = False
    if not is_text:
        raise InputError(
            f"no such encoding; usual are utf-8, cp1252 and utf-16. Received: {stated!r}",
            field="data.encoding",
        )
    # Spreadsheet programs put a byte order mark before UTF-8; it is no text.
    return "utf-8-sig" if codec == "utf-8" else codec


def _try_decoding(path: Path, codec: str) -> tuple[int, int, int]:
    """Return the undecodable sequences, good non-ASCII characters, and bytes of the whole file."""
    decoder = codecs.getincrementaldecoder(codec)(errors=_MARKING)
    undecodable = foreign = size = 0
    with open_bytes(path) as handle:
        while True:
            chunk = handle.read(CHUNK_BYTES)
            size += len(chunk)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeError as error:
                # Some codecs cannot go on: UTF-32 without its mark.
                message = f"cannot be read as {codec} ({error})"
                raise InputError(message, file=path, field="data.encoding") from None
            if not text.isascii():
                undecodable += text.count(_MARK)
                foreign += len(re.findall(rf"[^\x00-\x7f{_MARK}]", text))
            if not chunk:
                return undecodable, foreign, size
