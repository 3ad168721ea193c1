import pytest

from tests.faults import PHASE, interrupted

VISITS = ("meta_fine_tune", "fine_tune", "export")


@pytest.mark.slow
def test_a_run_killed_and_stopped_ends_as_one_never_interrupted(tmp_path):
    """All stages have their turn in `python -m tests.faults`; here one model is exported."""
    small = {**PHASE, "parts": "head"}
    kills, differences = interrupted(tmp_path, 3, seed=2, term=True, visits=VISITS, fine_tune=small)
    assert [kill.signal for kill in kills] == ["SIGKILL", "SIGTERM", "SIGKILL"]
    assert not differences
