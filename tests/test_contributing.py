"""What CONTRIBUTING.md says about the code is so."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PLACES = sorted(set(re.findall(r"`([\w/]+\.py)::([\w.]+)`", GUIDE)))
FOLDERS = sorted(set(re.findall(r"`(\w[\w/]*/)`", GUIDE)))


def names(body):
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, getattr(node, "body", [])
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((target.id, []) for target in targets if isinstance(target, ast.Name))


@pytest.mark.parametrize(("file", "name"), PLACES)
def test_what_it_names_is_there(file, name):
    body = ast.parse((ROOT / "easymft" / file).read_text(encoding="utf-8")).body
    for part in name.split("."):
        defined = dict(names(body))
        assert part in defined, f"{file} has no {name}"
        body = defined[part]


@pytest.mark.parametrize("folder", FOLDERS)
def test_folders_that_it_names_are_there(folder):
    roots = (ROOT, ROOT / "easymft", ROOT / "easymft" / "data")
    assert any((root / folder).is_dir() for root in roots)


def test_every_wing_has_its_tests_named():
    for wing in ROOT.glob("tests/*/test_*.py"):
        if (ROOT / "easymft" / wing.parent.name).is_dir():
            assert re.search(rf"python -m pytest .*tests/{wing.parent.name}\b", GUIDE), wing
