"""The catalogue inside this process, where TensorFlow is imported once for all cases.

`python -m tests.hostile` runs it as users would, and measures time and memory.
"""

import logging

import pytest
from absl import app, flags
from absl import logging as absl_logging
from absl.testing import flagsaver

from easymft import run
from tests.hostile.case import faults, snapshot
from tests.hostile.catalogue import CASES


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Many cases spoil nothing that the tokens depend on."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def alone(cache, monkeypatch):
    """A cache of these tests' own, and the logging of whoever runs tests afterwards."""
    monkeypatch.setenv("EASYMFT_CACHE_DIR", str(cache))
    monkeypatch.delenv("EASYMFT_DATA_DIR", raising=False)
    root, package = logging.getLogger(), logging.getLogger("easymft")
    before = root.handlers[:], root.level, package.level
    # The command line replaces the handlers, and absl's would close a stream that pytest needs.
    monkeypatch.setattr(absl_logging, "use_absl_handler", lambda: None)
    root.removeHandler(absl_logging.get_absl_handler())
    yield
    root.handlers[:], root.level, package.level = before


def command(*words):
    """The exit code of a command line."""
    with flagsaver.flagsaver():
        flags.FLAGS.unparse_flags()
        try:
            app.run(run.main, ["easymft", *words], flags_parser=run._parse)
        except SystemExit as end:
            return end.code or 0
        return 0


def test_there_are_enough_of_every_kind():
    refused = [case for case in CASES if case.exit_code == 2]
    assert len(refused) >= 65
    assert len({case.name for case in CASES}) == len(CASES)
    kinds = {case.name.partition(":")[0] for case in refused}
    assert kinds == {"recipe", "command", "data", "archive", "weights", "run folder", "environment"}


@pytest.mark.long
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=[pytest.mark.slow] if case.trains else [])
        for case in CASES
        if not case.environment
    ],
)
def test_answer(case, tmp_path, monkeypatch, capfd):
    folder = tmp_path / "case"
    folder.mkdir()
    case.build(folder)
    monkeypatch.chdir(folder)
    for words in case.first:
        assert command(*words) == 0
    if case.damage is not None:
        case.damage(folder)
    before = snapshot(folder)
    capfd.readouterr()
    code = command(*case.argv)
    assert faults(case, folder, before, code, capfd.readouterr().err) == []
