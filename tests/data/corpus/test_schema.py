import collections

import numpy as np
import pyarrow as pa
import pytest

from easymft.data.corpus.corpus_builder import MAX_LABELS, CorpusBuilder
from easymft.data.corpus.intake import Intake
from easymft.data.corpus.schema import Corpus, build_vocabulary, limit_per_domain
from easymft.errors import InputError


def corpus(cells: dict[tuple[str, str], int], **more) -> Corpus:
    rows = [
        {"id": f"{d}-{c}-{n}", "text": f"{d} {c} {n}", "label": c, "domain": d, **more}
        for (d, c), count in cells.items()
        for n in range(count)
    ]
    intake = Intake()
    for row in rows:
        intake.add(row)
    return intake.finish(name="test", origin="memory")


def test_vocabulary_sorts_whole_numbers_as_numbers_and_keeps_names_exactly():
    assert build_vocabulary(["10", "9", "1", "10"]) == ("1", "9", "10")
    assert build_vocabulary(["01", "1", "2"]) == ("01", "1", "2")
    assert build_vocabulary(["b", "10", "a"]) == ("10", "a", "b")


def test_codes_do_not_depend_on_the_order_of_rows():
    one = corpus({("x", "pos"): 1, ("y", "neg"): 1})
    two = corpus({("y", "neg"): 1, ("x", "pos"): 1})
    assert one.labels == two.labels == ("neg", "pos")
    assert one.codes("label").tolist() == [1, 0]
    assert two.codes("label").tolist() == [0, 1]
    assert two.codes("domain").tolist() == [1, 0]


def test_batches_with_other_columns_are_filled_with_null():
    builder = CorpusBuilder()
    base = {"label": ["a", "b"], "domain": ["d", "d"]}
    builder.add({"id": ["1", "2"], "text": ["x", "y"], **base, "typicality": [0.5, 0.25]})
    builder.add({"id": ["3", "4"], "text": ["x", "y"], **base})
    table = builder.finish(name="n", origin="o").table
    assert table["typicality"].to_pylist() == [0.5, 0.25, None, None]


def test_rows_are_taken_across_files():
    builder = CorpusBuilder()
    for file in ("one", "two"):
        builder.add(
            {
                "id": [f"{file}0", f"{file}1"],
                "text": ["t", "t"],
                "label": ["0", "1"],
                "domain": ["d", "d"],
                "file": [file, file],
                "line": [0, 1],
            }
        )
    taken = builder.finish(name="n", origin="o").take(np.array([3, 0]))
    assert taken.table["id"].to_pylist() == ["two1", "one0"]
    assert taken.place(0) == {"file": "two", "line": 1}


def test_too_many_labels_stop_early():
    builder = CorpusBuilder()
    count = MAX_LABELS + 1
    columns = {
        "id": [str(n) for n in range(count)],
        "text": ["t"] * count,
        "label": [f"label {n}" for n in range(count)],
        "domain": ["d"] * count,
        "file": ["f.csv"] * count,
        "line": list(range(2, count + 2)),
    }
    with pytest.raises(InputError, match=r"f\.csv:1002: `data.columns.label`: more than 1,000"):
        builder.add(columns)


def test_corpus_refuses_wrong_columns_and_codes():
    good = corpus({("d", "a"): 1, ("d", "b"): 1})
    with pytest.raises(ValueError, match="Received: no \\['id'\\]"):
        Corpus(good.table.drop(["id"]), good.labels, good.domains, "n", "o")
    with pytest.raises(ValueError, match="must be in \\[-1, 1\\)"):
        Corpus(good.table, ("a",), good.domains, "n", "o")
    wide = good.table.set_column(2, "label", pa.array([0, 1], pa.int64()))
    with pytest.raises(ValueError, match="label: int64"):
        Corpus(wide, good.labels, good.domains, "n", "o")


def test_limit_is_stratified_and_spread_over_the_file():
    full = corpus({("x", "a"): 60, ("x", "b"): 20, ("y", "a"): 3})
    small = limit_per_domain(full, 8)
    cells = collections.Counter(zip(small.codes("domain"), small.codes("label"), strict=True))
    assert cells == {(0, 0): 6, (0, 1): 2, (1, 0): 3}
    kept = [int(name.rsplit("-", 1)[1]) for name in small.table["id"].to_pylist()[:6]]
    assert max(np.diff([0, *sorted(kept), 60])) <= 20
    assert small.notes == ("limited to 8 texts per domain: 11 of 83",)
    assert limit_per_domain(small, 8) is small
