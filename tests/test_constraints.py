"""The ranges of pyproject.toml are those of the two sets that were tried."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DECLARED = {canonicalize_name((r := Requirement(text)).name): r for text in PROJECT["dependencies"]}


def pinned(name):
    lines = (ROOT / "constraints" / name).read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line) for line in lines if not line.startswith("#")]
    versions = {canonicalize_name(r.name): [*r.specifier] for r in wanted}
    assert all(len(v) == 1 and v[0].operator == "==" for v in versions.values())
    return {name: v[0].version for name, v in versions.items()}


@pytest.mark.parametrize("file", ["lowest.txt", "tested.txt"])
def test_every_dependency_is_pinned_inside_its_range(file):
    versions = pinned(file)
    assert DECLARED.keys() <= versions.keys()
    for name, requirement in DECLARED.items():
        assert requirement.specifier.contains(versions[name]), f"{requirement} in {file}"


def test_the_lowest_set_is_the_lower_end_of_every_range():
    lowest = pinned("lowest.txt")
    for name, requirement in DECLARED.items():
        (least,) = (part.version for part in requirement.specifier if part.operator == ">=")
        assert requirement.specifier.contains(lowest[name])
        assert f"{lowest[name]}.".startswith(f"{least}."), requirement
