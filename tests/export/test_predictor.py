import shutil

import pytest

from easymft.errors import InputError
from easymft.export.predictor import Predictor, find_version


def test_finds_the_newest_version(tmp_path, export_folder):
    assert find_version(export_folder) == export_folder / "combined" / "1"
    assert find_version(export_folder / "books") == export_folder / "books" / "1"
    for number in (2, 10):
        (tmp_path / "m" / str(number)).mkdir(parents=True)
    assert find_version(tmp_path / "m") == tmp_path / "m" / "10"
    with pytest.raises(InputError, match="holds no exported model 'combined'; name one of m"):
        find_version(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_version(tmp_path / "x")


def test_a_domain_called_by_a_number_is_no_version(tmp_path):
    for model in ("7", "combined"):
        (tmp_path / model / "1").mkdir(parents=True)
    assert find_version(tmp_path) == tmp_path / "combined" / "1"
    assert find_version(tmp_path / "7") == tmp_path / "7" / "1"


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("saved_model.pb", b"", "MetaGraph"),
        ("saved_model.pb", b"junk", "Cannot parse file"),
        ("variables/variables.index", b"junk", "sstable"),
        ("variables/variables.data-00000-of-00001", b"", r"\("),
        ("assets.extra/labels.txt", b"bad\n", "1 labels for 3 classes"),
    ],
)
def test_a_damaged_export_is_said(tmp_path, export_folder, name, content, reason):
    folder = shutil.copytree(export_folder / "books" / "1", tmp_path / "1")
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=f"/1: is no whole exported model .*{reason}.*; remove it"):
        Predictor(folder)
