import pytest

from easymft.data.files.code_page import guess_code_page
from easymft.data.files.encoding import Encoding, find_encoding
from easymft.data.files.text_files import open_lines
from easymft.errors import InputError


def found(tmp_path, content: bytes, stated: str = "auto") -> Encoding:
    path = tmp_path / "file.txt"
    path.write_bytes(content)
    return find_encoding(path, stated)


def test_detection_by_byte_order_mark_and_by_content(tmp_path):
    text = "naïve — café 😀\n" * 3
    for codec, expected in [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-32", "utf-32"),
    ]:
        encoding = found(tmp_path, text.encode(codec))
        assert encoding.codec == expected
        assert encoding.undecodable == 0
        path = tmp_path / "file.txt"
        with open_lines(path, encoding.codec) as lines:
            assert list(lines) == text.splitlines(keepends=True)


def test_western_bytes_are_cp1252_and_said_to_be_guessed(tmp_path):
    encoding = found(tmp_path, "caf\xe9 \x93quoted\x94\n".encode("latin-1") * 40)
    assert encoding.codec == "cp1252"
    assert "guessed" in encoding.note
    assert not encoding.is_damaged


def test_utf_8_with_few_bad_bytes_stays_utf_8(tmp_path):
    encoding = found(tmp_path, "é".encode() * 500 + b"\xff" * 5)
    assert (encoding.codec, encoding.undecodable, encoding.size) == ("utf-8", 5, 1005)
    assert not encoding.is_damaged


def test_a_replacement_character_is_a_character(tmp_path):
    encoding = found(tmp_path, "text \ufffd lost elsewhere\n".encode())
    assert (encoding.codec, encoding.undecodable) == ("utf-8", 0)


def test_more_than_one_percent_is_damage(tmp_path):
    assert not found(tmp_path, b"a" * 990 + b"\xff" * 10, "utf-8").is_damaged
    assert found(tmp_path, b"a" * 989 + b"\xff" * 11, "utf-8").is_damaged


def test_utf_16_without_a_mark_is_asked_for(tmp_path):
    with pytest.raises(InputError, match="utf-16-le"):
        found(tmp_path, "some text".encode("utf-16-le"))
    assert found(tmp_path, "some text".encode("utf-16-le"), "utf-16-le").undecodable == 0


def test_unknown_encoding_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"no such encoding; .* Received: 'utf-9'"):
        found(tmp_path, b"a", "utf-9")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04", "a zip archive or an Excel workbook"),
        (b"BZh91AY&SY", "packed with bzip2"),
        (b"\xfd7zXZ\x00", "packed with xz"),
        (b"\x28\xb5\x2f\xfd", "packed with Zstandard"),
    ],
)
def test_what_is_packed_otherwise_is_named(tmp_path, content, kind):
    with pytest.raises(InputError, match=kind):
        found(tmp_path, content + bytes(50), "utf-8")


@pytest.mark.parametrize("name", ["zip", "rot13", "idna", "undefined", "utf-9", "\u00fc", ""])
def test_codecs_that_make_no_text_of_bytes(tmp_path, name):
    with pytest.raises(InputError, match="no such encoding") as caught:
        found(tmp_path, b"a", name)
    assert caught.value.field == "data.encoding"


def test_utf_32_without_its_mark(tmp_path):
    with pytest.raises(InputError, match="cannot be read as utf-32"):
        found(tmp_path, b"some text", "utf-32")


# ruff: noqa: RUF001 (other scripts have letters and commas like ours)
# Said of things bought, in the languages that these code pages are for.
REVIEWS = {
    "gbk": ("这本书的情节非常好，我很喜欢", "质量很差，用了两天就坏了", "快递太慢了，包装也破了"),
    "big5": (
        "這本書的情節非常好，我很喜歡",
        "質量很差，用了兩天就壞了",
        "服務態度不錯，下次還會再來",
    ),
    "shift_jis": (
        "この本はとても面白かったです",
        "すぐに壊れてしまいました",
        "対応がよくて満足しています",
    ),
    "euc_kr": (
        "이 책은 정말 재미있었습니다",
        "품질이 나쁘고 이틀 만에 고장났어요",
        "배송이 빨라서 좋아요",
    ),
    "koi8_r": ("Очень хорошая книга, мне понравилось", "Плохое качество, сломалось сразу"),
    "cp1251": ("Очень хорошая книга, мне понравилось", "Плохое качество, сломалось сразу"),
    "iso8859_5": ("Очень хорошая книга, мне понравилось", "Плохое качество, сломалось сразу"),
    "cp874": ("หนังสือดีมาก ชอบมาก", "คุณภาพแย่ ใช้สองวันก็พัง"),
    # Alike to other code pages of Latin letters, or to each other.
    "cp1250": ("Špatná kvalita, rozbilo se po dvou dnech", "Příliš drahé, ale hezké zboží"),
    "iso8859_2": ("Zła jakość, zepsuło się po dwóch dniach", "Świetna obsługa, wróciłbym jeszcze"),
    "cp1254": ("Çok güzel bir kitap, çok beğendim", "Kalitesi kötü, iki günde bozuldu, şaşırdım"),
    "cp1257": ("Labai gera knyga, ačiū", "Bloga kokybė, sugedo po dviejų dienų"),
    "mac_latin2": ("Nagyon jó könyv, őszintén", "Gyűlölöm, drága és hűvös"),
    "cp852": ("Zelo dobra knjiga, všeč mi je", "Slaba kakovost, počilo je že včeraj"),
    "mac_roman": ("Très bon livre, un été réussi", "Mauvaise qualité, déçu après deux jours"),
    "cp850": ("Sehr schönes Buch für Mäuse", "Schlechte Qualität, hört früh auf"),
}
ASKED = ("cp1250", "iso8859_2", "cp1254", "cp1257", "mac_latin2", "cp852", "mac_roman", "cp850")


def table(codec, rows):
    texts = REVIEWS[codec]
    lines = [f"{texts[n % len(texts)]} {n},{('good', 'bad')[n % 2]},shop" for n in range(rows)]
    return "text,label,domain\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("codec", [codec for codec in REVIEWS if codec not in ASKED])
def test_the_code_page_of_other_scripts_is_detected_and_said(tmp_path, codec):
    content = table(codec, 30)
    encoding = found(tmp_path, content.encode(codec))
    assert encoding.note.startswith("not UTF-8, read as ")
    with open_lines(tmp_path / "file.txt", encoding.codec) as lines:
        assert "".join(lines) == content


@pytest.mark.parametrize("codec", ASKED)
def test_code_pages_of_latin_letters_other_than_western_are_asked_for(tmp_path, codec):
    content = table(codec, 30).encode(codec)
    with pytest.raises(InputError, match="is neither UTF-8 nor a Western text") as caught:
        found(tmp_path, content)
    assert caught.value.field == "data.encoding"
    assert "; the likeliest is " in str(caught.value)
    assert found(tmp_path, content, codec).undecodable == 0


@pytest.mark.parametrize("codec", ["gbk", "koi8_r"])
def test_of_two_short_lines_no_code_page_is_certain(tmp_path, codec):
    with pytest.raises(InputError, match=r"state its encoding; the likeliest is .*, which reads "):
        found(tmp_path, table(codec, 2).encode(codec))


@pytest.mark.parametrize(
    "text",
    [
        "Très bon livre, j'ai adoré l'été ; œuvre naïve, où ça coûte",
        "Sehr schönes Buch über die Größe der Mäuse, süß und für Café-Gäste",
        "¿Qué tal, señor? ¡Muy buen corazón, años de opinión! Nº 1",
        "Não é a opinião do coração; três edições",
        "Mycket bra bok, jag älskade den på kvällen\nDårlig kvalitet, ødelagt, være",
        "Perché no? La città è più bella già così\nHyvä päivä, sää on kova",
        "Góð bók, það þótti mér\nBeëindigd, één coördinatie",
        "the “battery” – lasts… £5 ½ °C m² © • yes\nCafé naïve façade, El Niño, Müller",
        "Novotný, Tomáš and György Kertész at the Özgür café",
        "l´eau col·lecció 1º 2ª",
    ],
)
def test_western_text_is_western_however_little_there_is(tmp_path, text):
    for lines in (1, 50):
        encoding = found(tmp_path, (text + "\n").encode("cp1252") * lines)
        assert encoding.note == "not UTF-8, read as cp1252 (guessed)"


def test_letters_at_wrong_places_are_no_certain_code_page():
    """Mac's Cyrillic has all small letters but one where Windows has them."""
    sample = "Очень хорошая вещь, я рекомендую её друзьям\n" * 30
    guess = guess_code_page(sample.encode("mac_cyrillic"))
    assert not guess.is_certain or sample.encode("mac_cyrillic").decode(guess.codec) == sample


def test_escapes_of_seven_bits_are_asked_for(tmp_path):
    content = "とても面白い,good,shop\n".encode("iso2022_jp")
    with pytest.raises(InputError, match=r"seven-bit encoding of Asia; state it \(most likely iso"):
        found(tmp_path, content)
    assert found(tmp_path, content, "iso2022_jp").undecodable == 0


def test_chinese_in_utf_16_without_a_mark_has_few_zero_bytes(tmp_path):
    content = table("gbk", 30).replace("good", "好").replace("bad", "差").replace("shop", "店")
    with pytest.raises(InputError, match="UTF-16 without a byte order mark"):
        found(tmp_path, content.encode("utf-16-le"))
