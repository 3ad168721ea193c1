import io
import stat
import tarfile
import zipfile

import pytest

from easymft.errors import InputError
from easymft.fetch.archives import unpack


def make_zip(path, members, mode=None, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            if mode is not None:
                info.external_attr = mode << 16
            archive.writestr(info, content)
    return path


def make_tar(path, members, kind=None, target=""):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if kind is not None:
                info.type, info.linkname, info.size = kind, target, 0
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_unpacks_files_with_their_folders(tmp_path, make):
    archive = make(tmp_path / "a", [("x/y/one.txt", b"1"), ("two.txt", b"22")])
    folder = unpack(archive, tmp_path / "out")
    assert (folder / "x/y/one.txt").read_bytes() == b"1"
    assert (folder / "two.txt").read_bytes() == b"22"


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_only_takes_the_named_members(tmp_path, make):
    archive = make(tmp_path / "a", [("setup.py", b"1"), ("../evil", b""), ("data.bin", b"2")])
    folder = unpack(archive, tmp_path / "out", only={"data.bin"})
    assert [path.name for path in folder.rglob("*")] == ["data.bin"]
    with pytest.raises(InputError, match=r"lacks.*absent"):
        unpack(archive, tmp_path / "other", only={"data.bin", "absent"})
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "C:/evil", "a\\..\\evil"])
def test_refuses_a_path_that_leaves_the_folder(tmp_path, make, name):
    archive = make(tmp_path / "a", [("good", b"1"), (name, b"2")])
    with pytest.raises(InputError, match="refused: member"):
        unpack(archive, tmp_path / "deep/out")
    assert not (tmp_path / "deep/out").exists()
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_refuses_links_and_devices_in_a_tar(tmp_path, kind):
    archive = make_tar(tmp_path / "a", [("link", b"")], kind, "/etc/passwd")
    with pytest.raises(InputError, match="link or a device"):
        unpack(archive, tmp_path / "out")


def test_refuses_links_in_a_zip(tmp_path):
    archive = make_zip(tmp_path / "a", [("link", b"/etc/passwd")], stat.S_IFLNK | 0o777)
    with pytest.raises(InputError, match="link or a device"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_refuses_more_bytes_than_allowed(tmp_path, make):
    archive = make(tmp_path / "a", [("one", b"x" * 60), ("two", b"x" * 60)])
    assert unpack(archive, tmp_path / "out", max_bytes=120).is_dir()
    with pytest.raises(InputError, match="more bytes"):
        unpack(archive, tmp_path / "less", max_bytes=119)
    assert not (tmp_path / "less").exists()


def test_refuses_a_bomb_by_its_ratio(tmp_path):
    archive = make_tar(tmp_path / "a", [("zeros", bytes(17 << 20))])  # about 1 : 1000
    with pytest.raises(InputError, match="more bytes"):
        unpack(archive, tmp_path / "out")
    assert unpack(archive, tmp_path / "out", max_ratio=5000).is_dir()


@pytest.mark.long
@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_members_that_are_not_wanted_are_bounded_too(tmp_path, mode):
    path = tmp_path / "a"
    with tarfile.open(path, mode) as archive:
        for name, size in (("zeros", 19 << 20), ("wanted", 3)):
            info = tarfile.TarInfo(name)
            info.size = size
            archive.addfile(info, io.BytesIO(bytes(size)))
    with pytest.raises(InputError, match="more bytes"):
        unpack(path, tmp_path / "out", only={"wanted"})
    assert not (tmp_path / "out").exists()
    folder = unpack(path, tmp_path / "out", only={"wanted"}, max_ratio=10**7)
    assert (folder / "wanted").read_bytes() == bytes(3)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_header_that_states_a_name_of_megabytes_is_not_read(tmp_path, kind):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = kind, 8 << 20
    (tmp_path / "a").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + b"a" * (8 << 20))
    with pytest.raises(InputError, match="more bytes"):
        unpack(tmp_path / "a", tmp_path / "out")


def test_refuses_too_many_members(tmp_path):
    archive = make_zip(tmp_path / "a", [(str(i), b"") for i in range(4)])
    assert unpack(archive, tmp_path / "out", max_members=4).is_dir()
    with pytest.raises(InputError, match="more than 3 members"):
        unpack(archive, tmp_path / "less", max_members=3)


def test_refuses_two_members_of_one_name(tmp_path):
    with pytest.raises(InputError, match="one name"):
        unpack(make_tar(tmp_path / "a", [("x", b"1"), ("x", b"2")]), tmp_path / "out")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_cut_archive_leaves_the_old_folder(tmp_path, make):
    content = bytes(range(256)) * 40
    archive = make(tmp_path / "a", [("x", content)])
    unpack(archive, tmp_path / "out")
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(InputError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "out")
    assert (tmp_path / "out/x").read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "out"]


def test_a_file_of_another_kind_and_no_file(tmp_path):
    (tmp_path / "a").write_text("no archive")
    with pytest.raises(InputError, match="cannot be unpacked"):
        unpack(tmp_path / "a", tmp_path / "out")
    with pytest.raises(InputError, match="no such archive"):
        unpack(tmp_path / "b", tmp_path / "out")
