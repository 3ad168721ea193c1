import threading

import pytest

from easymft.export.version_folder import next_version, remove_versions, versions


def publish(folder, content="x"):
    with next_version(folder) as new:
        new.staging.mkdir()
        (new.staging / "saved_model.pb").write_text(content)
    return new.path


def test_versions_count_up_and_stay(tmp_path):
    folder = tmp_path / "books"
    assert [publish(folder, str(i)).name for i in range(3)] == ["1", "2", "3"]
    assert [(folder / str(i + 1) / "saved_model.pb").read_text() for i in range(3)] == list("012")
    assert versions(folder) == [1, 2, 3]


def test_continues_after_the_highest(tmp_path):
    for name in ("9", "10", "old", "1.5"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    (tmp_path / "11").touch()  # a stray file is neither a version nor overwritten
    assert versions(tmp_path) == [9, 10]
    assert publish(tmp_path).name == "12"


def test_nothing_appears_before_the_end_nor_after_a_failure(tmp_path):
    def fail():
        with next_version(tmp_path / "m") as new:
            new.staging.mkdir()
            (new.staging / "half").touch()
            assert versions(tmp_path / "m") == []
            assert new.path is None
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list((tmp_path / "m").iterdir()) == []


def test_exports_at_the_same_time_get_versions_of_their_own(tmp_path):
    threads = [threading.Thread(target=publish, args=(tmp_path, str(i))) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert versions(tmp_path) == list(range(1, 9))
    contents = {(tmp_path / str(v) / "saved_model.pb").read_text() for v in range(1, 9)}
    assert contents == set("01234567")


def test_removed_versions_are_gone_and_their_numbers_are_not_used_again(tmp_path):
    for _ in range(4):
        publish(tmp_path)
    remove_versions(tmp_path, [1, 3])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "4"]
    assert publish(tmp_path).name == "5"
