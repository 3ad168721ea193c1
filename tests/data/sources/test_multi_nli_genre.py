import json

import pytest

from easymft.data.sources import multi_nli_genre
from easymft.errors import InputError, InputErrors
from tests.data.reading import write_pairs


def test_train_and_dev_matched_become_train_and_test(tmp_path):
    corpus = multi_nli_genre.read_folder(write_pairs(tmp_path))
    assert corpus.labels == ("contradiction", "entailment", "neutral")
    assert corpus.domains == ("fiction", "travel")
    assert corpus.is_pair
    splits = corpus.given_splits()
    assert {name: len(rows) for name, rows in splits.items()} == {"train": 6, "dev": 0, "test": 6}
    assert corpus.notes == ("4 pairs without a gold label left out",)
    first = corpus.take(splits["test"][:1]).table.to_pylist()[0]
    assert first["id"] == "dev_matched/fictionentailment"
    assert (first["text"], first["text_pair"]) == ("dev_matched fiction one.", "entailment two.")
    assert first["line"] == 1


def test_pairs_without_an_id_are_named_by_position(tmp_path):
    folder = write_pairs(tmp_path)
    path = folder / "multinli_1.0_train.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        del record["pairID"]
    path.write_text("\n".join(map(json.dumps, records)))
    ids = multi_nli_genre.read_folder(folder).table["id"].to_pylist()
    # Position 3 is the pair without a gold label.
    assert ids[:4] == ["train/0", "train/1", "train/2", "train/4"]


def test_every_bad_line_is_named(tmp_path):
    folder = write_pairs(tmp_path)
    good = (folder / "multinli_1.0_train.jsonl").read_text().splitlines()
    bad = [
        "{not json",
        json.dumps({"gold_label": "neutral", "sentence1": "a", "genre": "travel"}),
        good[0].replace('"entailment"', '"entails"'),
        "[1, 2]",
    ]
    (folder / "multinli_1.0_train.jsonl").write_text("\n".join([good[0], *bad]) + "\n")
    with pytest.raises(InputErrors) as caught:
        multi_nli_genre.read_folder(folder)
    assert [problem.line for problem in caught.value.problems[:4]] == [2, 3, 4, 5]
    assert "Received: 'entails'" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sentence1": "\ud800"}, "sentence1"),
        ({"sentence2": " "}, "sentence2"),
        ({"genre": ""}, "genre"),
        ({"genre": "a\tb"}, "genre"),
        ({"pairID": "\udfff"}, "pairID"),
    ],
)
def test_texts_and_names_are_checked(tmp_path, change, field):
    folder = write_pairs(tmp_path)
    path = folder / "multinli_1.0_train.jsonl"
    record = {**json.loads(path.read_text().splitlines()[0]), **change}
    with open(path, "a") as handle:
        handle.write(json.dumps(record) + "\n")
    with pytest.raises(InputError, match=rf"train\.jsonl:9: `{field}`: "):
        multi_nli_genre.read_folder(folder)


def test_nesting_without_end_names_its_line(tmp_path):
    folder = write_pairs(tmp_path)
    with open(folder / "multinli_1.0_train.jsonl", "a") as handle:
        handle.write("[" * 100_000 + "\n")
    with pytest.raises(InputError, match=r"train\.jsonl:9: must be a JSON object"):
        multi_nli_genre.read_folder(folder)


def test_bytes_that_are_no_utf_8_name_their_line(tmp_path):
    folder = write_pairs(tmp_path)
    path = folder / "multinli_1.0_train.jsonl"
    path.write_bytes(path.read_bytes() + b'{"gold_label": "\xff"}\n')
    with pytest.raises(InputError, match=r"train\.jsonl:9: must be a JSON object"):
        multi_nli_genre.read_folder(folder)


def test_folder_is_found_only_with_both_files(tmp_path):
    folder = write_pairs(tmp_path / "multi_nli" / "multinli_1.0")
    assert multi_nli_genre.find_folder(tmp_path) == folder
    (folder / "multinli_1.0_dev_matched.jsonl").unlink()
    assert multi_nli_genre.find_folder(tmp_path) is None
