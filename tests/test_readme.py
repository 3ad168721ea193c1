"""Every code block of every README does what it says; see `tests.readme` for how, and how far."""

import logging
import re
from pathlib import Path

import pytest
import tensorflow as tf

from easymft.fetch import preset_folder
from tests.models.keras_preset import write_keras_bert
from tests.readme import ON_EXPORTS, Block, Reader, commands, read_blocks

ROOT = Path(__file__).parents[1]
READMES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
READMES += sorted(ROOT.glob("*/**/README.md"))
BLOCKS = [
    (path.relative_to(ROOT), block)
    for path in READMES
    for block in read_blocks(path.read_text(encoding="utf-8"))
]
EXPORTS = ("export", *ON_EXPORTS)
IN_ONE_GO = ("export=true", "export_run(")  # train and export in one program
EXPORTS = (*(f"--mode {mode}" for mode in EXPORTS), *IN_ONE_GO)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return Path(write_keras_bert(tmp_path_factory.mktemp("readme"), positions=128))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def reader(tmp_path, monkeypatch, bert, kept, plain_pictures):
    """Someone who follows the README in a fresh copy, with a tiny encoder for the real one."""
    for name in ("app_zoo", "configs"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EASYMFT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("EASYMFT_DATA_DIR", raising=False)
    monkeypatch.setattr(preset_folder, "package_path", lambda path: bert)
    handlers, level = logging.root.handlers[:], logging.root.level
    yield Reader(tmp_path, ROOT, kept)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def cases():
    for path, block in BLOCKS:
        marks = []
        if block.skipped:
            marks.append(pytest.mark.skip(reason=block.skipped))
        elif _exports(block):
            marks.append(pytest.mark.slow)
        else:
            marks.append(pytest.mark.long)
        yield pytest.param(block, id=f"{path}:{block.line}, {block.language}", marks=marks)


def _exports(block):
    return any(flag in block.code for flag in EXPORTS)


@pytest.mark.parametrize("block", cases())
def test_block(reader, block):
    # Tracing would take most of the time; exports are nothing but traced.
    tf.config.run_functions_eagerly(not any(words in block.code for words in IN_ONE_GO))
    try:
        reader.follow(block)
    finally:
        tf.config.run_functions_eagerly(False)


def test_there_are_blocks_of_several_languages():
    assert {"python", "bash"} <= {block.language for _, block in BLOCKS}


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    links = re.findall(r"\]\(([^)\s#]+)[^)]*\)", path.read_text(encoding="utf-8"))
    own = [link for link in links if "://" not in link]
    assert [link for link in own if not (path.parent / link).exists()] == []


# How the blocks are read


def test_blocks_have_line_language_code_and_marker():
    markdown = "a\n```bash\nls\n```\n<!-- test: skip, needs docker -->\n\n```python\n\nx = 1\n```\n"
    assert read_blocks(markdown) == [
        Block(3, "bash", "ls\n"),
        Block(8, "python", "\nx = 1\n", "needs docker"),
    ]


@pytest.mark.parametrize(
    ("markdown", "message"),
    [
        ("```ruby\n1\n```\n", "language 'ruby'"),
        ("```\n1\n```\n", "language ''"),
        ("<!-- test: skip -->\n```bash\nls\n```\n", "a marker is `skip, REASON`"),
        ("<!-- test: slow, takes an hour -->\n```bash\nls\n```\n", "a marker is `skip, REASON`"),
        ("- a list\n  ```bash\n  ls\n  ```\n", "2 fences"),
        ("~~~bash\nls\n~~~\n", "2 fences"),
        ("```bash\nls\n", "1 fences"),
    ],
)
def test_no_block_is_passed_over_unseen(markdown, message):
    with pytest.raises(ValueError, match=message):
        read_blocks(markdown)


def test_commands_of_a_script():
    script = """# a comment
pip install ".[test]" && python -m pytest  # another
python -m easymft.run --config a.json \\
  --set 'name=b c' > out.txt
cat a.csv | easymft --mode predict
"""
    assert commands(script) == [
        ["pip", "install", ".[test]"],
        ["python", "-m", "pytest"],
        ["python", "-m", "easymft.run", "--config", "a.json", "--set", "name=b c"],
        ["cat", "a.csv"],
        ["easymft", "--mode", "predict"],
    ]


RUN = "python -m easymft.run --config"
URL = "http://localhost:8501/v1"


@pytest.mark.parametrize(
    ("language", "code", "message"),
    [
        ("python", "import easymft\neasymft.no_such_name\n", "no_such_name"),
        ("bash", f"{RUN} app_zoo/amazon.json --set mft.alhpa=1\n", "did you mean `alpha`"),
        ("bash", f"{RUN} app_zoo/amason.json\n", "cannot be read"),
        ("bash", f"{RUN} app_zoo --mode list --colour red\n", "'colour'"),
        ("bash", f"{RUN} app_zoo --mode lisst\n", "lisst"),
        ("bash", f"{RUN} nowhere --mode list\n", "exit code 2"),
        ("bash", "python -m easymft_runn\n", "easymft_runn"),
        ("bash", "pip install '.[tests]'\n", "no extra 'tests'"),
        ("bash", "make coffee\n", "no way to try 'make coffee'"),
        ("bash", f"curl {URL}/model/amazon:predict -d '{{\"instances\": []}}'\n", "v1/model/"),
        ("bash", f"curl {URL}/models/amazon:predict -d '{{instances: []}}'\n", "property name"),
        ("bash", "docker runn tensorflow/serving\n", "runn"),
        ("bash", "docker run nginx\n", "nginx"),
        ("json", '{"mft": {"alhpa": 1}}\n', "did you mean `alpha`"),
        ("json", "{mft: 1}\n", "property name"),
    ],
)
def test_a_block_that_does_not_work_is_found(reader, language, code, message):
    # Whatever exception it is: an assertion, an InputError, or one of Python's own.
    with pytest.raises(Exception, match=message):
        reader.follow(Block(1, language, code))
