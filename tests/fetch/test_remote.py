"""Files of other file systems: those of fsspec's memory, and of a server that speaks S3."""

import uuid

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from easymft.config.loading import config_from_dict
from easymft.data.sources.own_files import read_files
from easymft.errors import InputError
from easymft.export.prediction_input import Wanted, open_texts
from easymft.export.prediction_output import open_output
from easymft.fetch import remote
from easymft.init import init_recipe

ROWS = "text,label,domain\ngood,a,books\nbad,b,books\ncafe,a,films\nthe cafe,b,films\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EASYMFT_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def memory():
    """A folder of the memory file system, by its URL."""
    folder = f"memory://{uuid.uuid4().hex}"
    yield folder
    fsspec.filesystem("memory").store.clear()


@pytest.fixture(scope="module")
def bucket():
    """A bucket of an S3 server on this machine, by its URL."""
    server = pytest.importorskip("moto.server", reason="needs moto[server]")
    pytest.importorskip("s3fs", reason="needs easymft[s3]")
    served = server.ThreadedMotoServer(port=0, verbose=False)
    served.start()
    host, port = served.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", f"http://{host}:{port}")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "tried")
        fsspec.filesystem("s3", skip_instance_cache=True).mkdir("texts")
        yield "s3://texts"
    served.stop()


def put(url, content):
    with fsspec.open(url, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def corpus(files, **data):
    recipe = {"name": "x", "data": {"source": "files", "files": files, **data}}
    return read_files(config_from_dict(recipe).data)


@pytest.mark.parametrize(
    ("name", "is_url"),
    [
        *(("s3://b/x.csv", True), ("simplecache::s3://b/x", True), ("memory://x", True)),
        *(("a/b.csv", False), ("/a//b", False), ("hf:name", False), ("package:a/b", False)),
    ],
)
def test_a_url_is_told_from_a_path(name, is_url):
    assert remote.is_url(name) is is_url


def test_rows_of_a_url_are_those_of_a_file(memory, tmp_path):
    put(f"{memory}/texts.csv", ROWS)
    (tmp_path / "texts.csv").write_text(ROWS)
    there, here = (corpus({"all": f"{folder}/texts.csv"}) for folder in (memory, tmp_path))
    assert there.table.drop_columns("file").equals(here.table.drop_columns("file"))
    assert there.table["id"].to_pylist() == [f"texts.csv:{line}" for line in range(2, 6)]
    assert corpus({"all": "texts.csv"}, dir=memory).table.equals(there.table)


def test_a_file_is_copied_again_only_once_it_has_changed(memory, monkeypatch):
    copied, url = [], f"{memory}/texts.csv"
    system = type(fsspec.filesystem("memory"))
    get = system.get_file
    monkeypatch.setattr(
        system, "get_file", lambda *given, **keys: (copied.append(1), get(*given, **keys))[1]
    )
    for content, count in ((ROWS, 1), (None, 1), (ROWS.replace("good", "fine"), 2)):
        if content:
            put(url, content)
        found = corpus({"all": url})
        assert len(copied) == count
    assert found.table["text"].to_pylist()[0] == "fine"


def test_globs_and_folders_and_what_has_gone_since(memory):
    for part, domain in enumerate(("books", "films")):
        put(f"{memory}/t/domain={domain}/{part}.csv", "text,label\ngood,a\nbad,b\n")
    assert corpus({"all": f"{memory}/t"}).domains == ("books", "films")
    assert corpus({"all": f"{memory}/t/*/1.csv"}).domains == ("films",)
    fsspec.filesystem("memory").rm(f"{memory}/t/domain=books/0.csv")
    assert corpus({"all": f"{memory}/t"}).domains == ("films",)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("memory://nothing/here.csv", r"`data.files.all`: no file found"),
        ("nosuch://b/x.csv", r"nosuch://b/x.csv: `data.files.all`: cannot be read \(Protocol"),
        ("memory://a/../b.csv", "without `..`"),
    ],
)
def test_what_cannot_be_read_is_one_line(url, words):
    put("memory://a/../b.csv", ROWS)
    with pytest.raises(InputError, match=words) as caught:
        corpus({"all": url})
    assert "\n" not in str(caught.value)


def test_a_fault_names_the_place_in_the_file(memory):
    put(f"{memory}/texts.csv", ROWS + ",a,films\n")
    with pytest.raises(InputError, match=rf"{memory[9:]}/texts\.csv:6: `text`: is empty"):
        corpus({"all": f"{memory}/texts.csv"})


def test_a_recipe_for_a_url_names_the_url(memory, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(f"{memory}/reviews.csv", ROWS)
    assert init_recipe(f"{memory}/reviews.csv")[0] == "Wrote reviews.json."
    assert f"{memory}/reviews.csv" in (tmp_path / "reviews.json").read_text()


def test_texts_to_label_leave_no_copy(memory, cache):
    put(f"{memory}/a.jsonl", '{"text": "good"}\n')
    put(f"{memory}/b.jsonl", '{"text": "bad"}\n')
    with open_texts(f"{memory}/*.jsonl", "auto", Wanted({"text": "text"}, ["text"])) as texts:
        assert [row["text"] for window in texts.windows(1) for row in window] == ["good", "bad"]
    assert not cache.exists()


def test_answers_appear_at_a_url_once_they_are_whole(memory):
    url, system = f"{memory}/out/answers.parquet", fsspec.filesystem("memory")

    def interrupted():
        with open_output(url) as write:
            write({"label": ["a"]})
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    assert not system.exists(url)
    with open_output(url) as write:
        write({"label": ["a", "b"], "score": [0.5, 1.0]})
    assert remote.names(f"{memory}/out", "x") == {"answers.parquet"}
    with fsspec.open(url) as file:
        assert pq.read_table(file).to_pydict() == {"label": ["a", "b"], "score": [0.5, 1.0]}


@pytest.mark.long
def test_s3_is_read_and_written(bucket):
    table = pa.table({"text": ["good", "bad"], "label": ["a", "b"], "domain": ["x", "x"]})
    with fsspec.open(f"{bucket}/in/texts.parquet", "wb") as file:
        pq.write_table(table, file)
    assert corpus({"all": f"{bucket}/in/*.parquet"}).table["text"].to_pylist() == ["good", "bad"]
    with open_output(f"{bucket}/out/answers.jsonl") as write:
        write({"label": ["a"]})
    with fsspec.open(f"{bucket}/out/answers.jsonl", "r") as file:
        assert file.read() == '{"label": "a"}\n'
    assert remote.names(f"{bucket}/out", "x") == {"answers.jsonl"}
    with pytest.raises(InputError, match=r"s3://absent/x.csv: `data.files.all`: cannot be read|no"):
        corpus({"all": "s3://absent/x.csv"})
