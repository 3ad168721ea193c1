import copy

import pytest

from easymft.errors import InputError, InputErrors, Problems, did_you_mean, listed, nearest


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ({}, "is wrong"),
        ({"file": "a.json"}, "a.json: is wrong"),
        ({"file": "a.json", "line": 3}, "a.json:3: is wrong"),
        ({"line": 3}, "line 3: is wrong"),
        ({"field": "mft.alpha"}, "`mft.alpha`: is wrong"),
        ({"file": "a.json", "line": 3, "field": "seed"}, "a.json:3: `seed`: is wrong"),
    ],
)
def test_message_begins_with_the_place(place, text):
    error = InputError("is wrong", **place)
    assert str(error) == text
    assert (error.file, error.line, error.field) == (
        place.get("file"),
        place.get("line"),
        place.get("field"),
    )
    assert isinstance(error, ValueError)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_survives_the_way_between_processes(duplicate):
    error = duplicate(InputError("is wrong", file="a.json", line=3, field="seed"))
    assert str(error) == "a.json:3: `seed`: is wrong"
    assert (error.file, error.line, error.field) == ("a.json", 3, "seed")


def test_no_problem_raises_nothing():
    assert Problems().raise_if_any() is None


def test_one_problem_is_raised_as_itself():
    problems = Problems()
    problems.add("is empty", file="a.csv", line=2, field="text")
    with pytest.raises(InputError, match=r"^a\.csv:2: `text`: is empty$") as caught:
        problems.raise_if_any()
    assert not isinstance(caught.value, InputErrors)


def test_twenty_problems_are_shown_and_all_counted():
    problems = Problems()
    for line in range(1, 26):
        problems.add("is empty", file="a.csv", line=line)
    with pytest.raises(InputErrors) as caught:
        problems.raise_if_any()
    lines = str(caught.value).splitlines()
    assert lines[0] == "25 problems in the data:"
    assert lines[1] == "  a.csv:1: is empty"
    assert lines[20] == "  a.csv:20: is empty"
    assert lines[21:] == ["  ... and 5 more"]
    assert caught.value.count == 25


def test_collections_of_problems_add_up():
    first, second = Problems(), Problems()
    for line in range(15):
        first.add("first", line=line + 1)
        second.add("second", line=line + 1)
    first.extend(second)
    assert first.count == 30
    assert [str(problem) for problem in first.shown[14:16]] == ["line 15: first", "line 1: second"]
    assert len(first.shown) == 20


def test_the_nearest_name_is_found_whatever_its_case_and_space():
    assert nearest("text", ["label", "Text "]) == "Text "
    assert did_you_mean("lable", ["label", "text"]) == "; did you mean 'label'?"
    assert did_you_mean("lable", ["domain", "text"]) == ""
    # One of a thousand columns, or a column as long as a review, was not mistyped.
    assert nearest("label", [f"c{n}" for n in range(1_000)] + ["Label"]) is None
    assert nearest("label", ["label" + " " * 500]) is None


def test_a_list_of_names_ends_with_the_number_of_those_left_out():
    assert listed([]) == "none"
    assert listed(["a", "b"]) == "'a', 'b'"
    assert listed(str(n) for n in range(1_021)).endswith("'19', and 1,001 more")
