import dataclasses

import numpy as np
import pytest

from easymft.models.domain_parts import DomainParts
from easymft.models.new_classes import NewClasses

KIND = {"parts": "lora", "rank": 1, "kernels": ["query"]}
PARTS = DomainParts(
    KIND,
    ("books", "café", "tools"),
    {"a/factor": np.arange(6, dtype="float32").reshape(3, 2), "head/shifts": np.ones((3, 1, 1))},
    (None, [0, 1], None),
)


def assert_same(one, other):
    assert (one.kind, one.domains) == (other.kind, other.domains)
    assert one.label_sets == other.label_sets
    assert one.tables.keys() == other.tables.keys()
    for name, table in one.tables.items():
        np.testing.assert_array_equal(table, other.tables[name])
        assert table.dtype == other.tables[name].dtype


def test_a_file_holds_them(tmp_path):
    PARTS.save(tmp_path / "parts.npz")
    assert_same(DomainParts.load(tmp_path / "parts.npz"), PARTS)


def test_domains_are_found_by_name_and_unknown_ones_have_zeros():
    found = PARTS.of_domains(["tools", "garden", "books"])
    np.testing.assert_array_equal(found.tables["a/factor"], [[4, 5], [0, 0], [0, 1]])
    assert found.tables["head/shifts"].ravel().tolist() == [1, 0, 1]
    assert_same(PARTS.of_domains(PARTS.domains), PARTS)


def test_domains_come_and_go_and_the_others_stay():
    new = DomainParts(
        KIND,
        ("garden",),
        {"a/factor": np.full((1, 2), 9, "float32"), "head/shifts": np.ones((1, 1, 1))},
        ([1],),
    )
    more = PARTS.with_parts(new)
    assert more.domains == ("books", "café", "tools", "garden")
    assert more.label_sets == (None, [0, 1], None, [1])
    assert more.tables["a/factor"][3].tolist() == [9, 9]
    assert_same(more.of_domains(PARTS.domains), PARTS)
    fewer = PARTS.without("café")
    assert fewer.domains == ("books", "tools")
    assert fewer.tables["a/factor"].tolist() == [[0, 1], [4, 5]]


def test_another_file_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.ones(2))
    with pytest.raises(KeyError):
        DomainParts.load(tmp_path / "other.npz")


def test_classes_come_and_go(tmp_path):
    tables = {**PARTS.tables, "head/kernels": np.ones((3, 4, 2), "float32")}
    parts = dataclasses.replace(PARTS, tables=tables)
    odd = NewClasses(("odd",), np.full((4, 1), 3, "float32"), np.array([5], "float32"))
    new = NewClasses(("new",), np.full((4, 1), 7, "float32"), np.array([9], "float32"))
    both = parts.with_class(odd, ["books"]).with_class(new, ["books", "café"])
    assert both.num_classes == 4
    assert both.label_sets == (None, [0, 1, 3], None)
    both.save(tmp_path / "parts.npz")
    both = DomainParts.load(tmp_path / "parts.npz")
    assert both.new_labels == ("odd", "new")
    left = both.without_class("odd")
    assert (left.new_labels, left.num_classes) == (("new",), 3)
    assert left.label_sets == (None, [0, 1, 2], None)
    np.testing.assert_array_equal(left.new_classes.kernel, new.kernel)
    assert left.new_classes.bias.tolist() == [9]
    assert_same(both.as_trained(PARTS.domains), parts)
    assert both.as_trained(PARTS.domains).new_classes is None
