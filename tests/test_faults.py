import pytest

from tests.faults import interrupted


@pytest.mark.slow
def test_a_run_killed_and_stopped_ends_as_one_never_interrupted(tmp_path):
    kills, differences = interrupted(tmp_path, kills=4, seed=2, term=True)
    assert [kill.signal for kill in kills] == ["SIGKILL", "SIGTERM"] * 2
    assert not differences
