"""Progress bars are for people at a terminal who want them."""

import io

import pytest

from easymft.progress import progress_bar, progress_bars


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stderr", "wanted", "drawn"),
    [(Terminal(), True, True), (Terminal(), False, False), (io.StringIO(), True, False)],
)
def test_a_bar_is_drawn_on_a_terminal_unless_nobody_wants_it(monkeypatch, stderr, wanted, drawn):
    monkeypatch.setattr("sys.stderr", stderr)
    with progress_bars(wanted), progress_bar("training", 10, done=4) as bar:
        bar.update()
    assert ("training" in stderr.getvalue()) == drawn
    with progress_bar("later", 1):
        assert ("later" in stderr.getvalue()) == stderr.isatty()
