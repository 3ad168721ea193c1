import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from easymft.config.strict_json import MAX_DEPTH, dotted, parse
from easymft.errors import InputError


def fault(text):
    with pytest.raises(InputError) as caught:
        parse(text, "a.json")
    assert caught.value.file == "a.json"
    return caught.value


def test_every_key_and_element_has_its_line():
    text = '{\n"a": [\n1,\n{"b":\n2}\n],\n\n"c": {"a": 3,\n"d": "\\"a\\": [,"}}'
    value, lines = parse(text, "a.json")
    assert value == {"a": [1, {"b": 2}], "c": {"a": 3, "d": '"a": [,'}}
    assert lines == {
        ("a",): 2,
        ("a", 0): 3,
        ("a", 1): 4,
        ("a", 1, "b"): 4,
        ("c",): 8,
        ("c", "a"): 8,
        ("c", "d"): 9,
    }


@pytest.mark.parametrize("text", ["1", '"a"', "null", "[]", "{}", "  [ ] "])
def test_values_without_parts_have_no_lines(text):
    assert parse(text, "a.json") == (json.loads(text), {})


def test_escaped_key_is_found_by_what_it_says():
    assert parse('{\n"s\\u0065ed": 1}', "a.json")[1] == {("seed",): 2}


def test_windows_line_ends():
    assert parse('{\r\n"a": 1,\r\n"b": 2\r\n}', "a.json")[1] == {("a",): 2, ("b",): 3}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
).filter(lambda value: not isinstance(value, float) or abs(value) != float("inf"))


def places(value):
    """Every place of a value, by plain recursion over the parsed value."""
    parts = value.items() if isinstance(value, dict) else ()
    parts = enumerate(value) if isinstance(value, list) else parts
    return [
        place for key, inner in parts for place in [(key,), *((key, *p) for p in places(inner))]
    ]


@pytest.mark.long
@settings(deadline=None)
@given(json_values, st.sampled_from([None, 0, 2]), st.booleans())
def test_places_are_those_of_the_value(value, indent, ascii_only):
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=ascii_only, allow_nan=False)
    except ValueError:
        return  # an infinity deep inside
    parsed, lines = parse(text, "a.json")
    assert parsed == value
    assert list(lines) == places(value)


@settings(deadline=None)
@given(json_values, st.data())
def test_broken_text_is_an_input_error(value, data):
    text = json.dumps(value)
    cut = data.draw(st.integers(0, len(text)))
    mended = (
        text[:cut] + data.draw(st.sampled_from(["", "{", "]", ",", '"', "NaN"])) + text[cut + 1 :]
    )
    try:
        parse(mended, "a.json")
    except InputError as error:
        assert error.line is None or 1 <= error.line <= mended.count("\n") + 1  # noqa: PT017


@pytest.mark.parametrize(
    ("text", "line"),
    [("", 1), ("{\n", 2), ('{"a": 1,\n\n}', 3), ("{'a': 1}", 1), ('{"a":\n// b\n1}', 2)],
)
def test_not_json(text, line):
    error = fault(text)
    assert "not valid JSON" in str(error)
    assert error.line == line


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ('{"a": 1,\n"a": 1}', 2, "a"),
        ('{"m": {"a": 1},\n"n": {"a": 1,\n"b": {"a": 2},\n"a": 1}}', 4, "n.a"),
        ('{"l": [{"a": 1},\n{"a": 1, "\\u0061": 2}]}', 2, "l[1].a"),
    ],
)
def test_key_twice(text, line, field):
    error = fault(text)
    assert "twice" in str(error)
    assert (error.line, error.field) == (line, field)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_not_a_number(number):
    error = fault(f'{{"NaN": "Infinity",\n"a": [0,\n{number}]}}')
    assert f"{number} is not a number" in str(error)
    assert error.line == 3


def test_integer_of_5000_digits():
    error = fault('{"a": 1,\n"b": ' + "9" * 5000 + "}")
    assert "5,000 digits" in str(error)
    assert error.line == 2


def test_deepest_nesting_allowed():
    _, lines = parse('{"a":\n' * MAX_DEPTH + "1" + "}" * MAX_DEPTH, "a.json")
    assert lines[("a",) * MAX_DEPTH] == MAX_DEPTH
    assert "nested" in str(fault('{"a":\n' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1)))


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000])
def test_absurd_nesting(text):
    assert "nested" in str(fault(text))


def test_dotted():
    assert dotted(()) == ""
    assert dotted(("mft", "class_weights", 0)) == "mft.class_weights[0]"
