"""Reads the code blocks of a Markdown file and tries each as far as a test can.

- `python`: run as a script.
- `bash`: every command by itself. `easymft` and `python -m easymft.run` run; installing, testing,
  other tools, servers and requests to servers are checked as far as they can be without doing them.
- `json`: a recipe is loaded; a request or answer of TensorFlow Serving must be JSON.
- `text`: what a command prints; nothing to run.

A block in another language, or with a command that nothing here knows, is an error. A comment
`<!-- test: skip, REASON -->` right before a block leaves it out.

What is not as the reader has it: `package:...` presets are a random BERT of width 8, and runs read
a dozen short texts of each domain (of a file that the command names, or of the bundled sample), for
one epoch.
"""

import hashlib
import importlib.util
import itertools
import json
import re
import runpy
import shlex
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import tensorflow as tf
from absl import flags
from absl.testing import flagsaver

from easymft import run
from easymft.beam.command_line import command_line
from easymft.config.loading import load_config
from easymft.config.shipped import find_recipe
from easymft.runs import STAGE_NAMES
from tests.small_run import texts

TOOLS = ("git", "lint-imports", "mypy", "pre-commit", "ruff")
LANGUAGES = ("python", "bash", "json", "text")
ON_EXPORTS = ("predict", "score", "monitor", "push")
TINY = (
    *("data.limit_per_domain=12", "backbone.max_length=12", "precision=float32"),
    *("meta_fine_tune.epochs=1", "fine_tune.epochs=1"),
)
_BLOCK = re.compile(
    r"(?:^<!-- test: (?P<marker>.*) -->\n+)?^```(?P<language>.*)\n(?P<code>(?:.*\n)*?)```$", re.M
)
_ASSIGNMENT = re.compile(r"[A-Z_]+=")
_SERVING = re.compile(r"http://localhost:\d+/v1/models/[^/:]+(/versions/\d+)?(:\w+|/metadata)?")


@dataclass(frozen=True)
class Block:
    """A fenced code block.

    Attributes:
        line: Where its code begins in the file.
        language: What stands after the opening fence.
        code: Its text.
        skipped: Why it is left out; `None` where it is not.
    """

    line: int
    language: str
    code: str
    skipped: str | None = None


def read_blocks(markdown: str) -> list[Block]:
    """Every code block of a Markdown text, in order.

    Raises:
        ValueError: A block that would be left out unseen: an unknown language or marker, a marker
            without a reason, or a fence that does not stand at the line's beginning.
    """
    blocks = []
    for match in _BLOCK.finditer(markdown):
        line = markdown.count("\n", 0, match.start("code")) + 1
        language, marker = match["language"], match["marker"]
        if language not in LANGUAGES:
            known = ", ".join(LANGUAGES)
            raise ValueError(f"line {line}: a block of language {language!r}; known: {known}")
        reason = None
        if marker is not None:
            kind, _, reason = marker.partition(", ")
            if kind != "skip" or len(reason.split()) < 2:
                raise ValueError(f"line {line}: a marker is `skip, REASON`. Received: {marker!r}")
        blocks.append(Block(line, language, match["code"], reason))
    fences = len(re.findall(r"^\s*(?:```|~~~)", markdown, re.M))
    if fences != 2 * len(blocks):
        raise ValueError(f"{fences} fences, which are not {len(blocks)} blocks; use ``` unindented")
    return blocks


def commands(script: str) -> list[list[str]]:
    """The commands of a shell script, word by word; comments and redirections left out."""
    found = []
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>")
        lexer.whitespace_split = True
        words, command = list(lexer), []
        for word in [*words, ";"]:
            if set(word) <= set(";&|"):
                found.append(command)
                command = []
            elif command[-1:] and set(command[-1]) <= set("<>"):
                command.pop()
            else:
                command.append(word)
    return [command for command in found if command]


class Reader:
    """Does what a block says, in a folder that looks like the project's own.

    Args:
        folder: Where commands run; holds app_zoo and configs.
        root: The project's folder.
        kept: Where folders of finished runs are kept, for other readers who need the same.
    """

    def __init__(self, folder: Path, root: Path, kept: Path):
        self.folder, self.root, self.kept = folder, root, kept
        self._done: set[tuple[str, ...]] = set()

    def follow(self, block: Block) -> None:
        """Run or check the block; raises where something in it does not work."""
        if block.language == "python":
            script = self.folder / f"block_{block.line}.py"
            script.write_text(block.code, encoding="utf-8")
            runpy.run_path(str(script), run_name="__main__")
        elif block.language == "json":
            self._json(block)
        elif block.language == "bash":
            for command in commands(block.code):
                self._command(command)

    def _json(self, block: Block) -> None:
        values = json.loads(block.code)
        if not {"instances", "inputs", "predictions", "outputs"} & set(values):
            recipe = self.folder / "recipes" / f"block_{block.line}.json"
            recipe.parent.mkdir(exist_ok=True)
            recipe.write_text(block.code, encoding="utf-8")
            load_config(recipe)

    def _command(self, command: list[str]) -> None:
        command = list(itertools.dropwhile(_ASSIGNMENT.match, command))
        if not command:  # nothing but variables
            return
        if command[:3] == ["python", "-m", "easymft.run"]:
            self._easymft(command[3:])
        elif command[0] == "easymft":
            self._easymft(command[1:])
        elif command[:3] == ["python", "-m", "easymft.beam"]:
            # Beam is an extra; its own flags are left to it.
            command_line().parse_known_args(command[3:])
        elif command[:2] == ["python", "-m"]:
            assert importlib.util.find_spec(command[2]), command
            if command[2] == "pytest":
                self._paths(command[3:])
        elif command[0] in TOOLS:
            self._paths(command[1:])
        elif command[:2] == ["pip", "install"]:
            self._pip(command[2:])
        elif command[0] == "curl":
            self._curl(command[1:])
        elif command[0] == "docker":
            self._docker(command[1:])
        elif command[0] == "saved_model_cli":
            from tensorflow.python.tools.saved_model_cli import create_parser

            create_parser().parse_args(command[1:])
        elif command[0] == "cd":
            pass
        else:
            raise ValueError(f"no way to try {shlex.join(command)!r}; teach {__name__}, or skip it")

    def _easymft(self, arguments: list[str]) -> None:
        """Run a command line of ours; what must have run before it, runs before it."""
        if arguments in (["--help"], ["--version"]):  # they end the program; tests/test_run.py
            return None
        given = _flags(arguments)
        source = given.get("input")
        if source and not (self.folder / source).exists():
            _write_table(self.folder / source, {})
        if given.get("mode") in ("list", "render", "schema", "init"):
            return _succeed(arguments)
        if given.get("mode") in ("compare", "audit") and "config" not in given:
            # What needs no training is seen; that the rest is left out too.
            tiny = [word for setting in TINY for word in ("--set", setting)]
            return _succeed([*_without(arguments, "minutes"), "--minutes", "0", *tiny])
        recipe = load_config(find_recipe(given["config"], self.folder), given["set"])
        tiny = list(TINY)
        if recipe.data.corrections:
            undecided = "id,decision,suggested_label\nsome,,\n"
            (self.folder / recipe.data.corrections).write_text(undecided)
        if recipe.data.source == "files":
            columns = recipe.data.columns.model_dump(exclude_none=True)
            for name in recipe.data.files.values():
                if not (self.folder / name).exists():
                    _write_table(self.folder / name, columns)
        else:
            tiny += ["data.source=sample", "data.split.kind=auto", "data.split.dev=0.1"]
        if recipe.sweep or recipe.search or given["local_workers"]:
            # Hours, or processes with the real encoder; that recipe and flags are right was seen.
            return None
        settings = [word for setting in tiny for word in ("--set", setting)]
        flags_of_modes = (
            *("mode", "input", "output", "dry_run", "name"),
            *("scores", "engine", "jobs"),  # the processes of an engine: tests/engines
        )
        plain = [*_without(arguments, *flags_of_modes), *settings]
        mode = given.get("mode", "run")
        if mode == "add_domain":
            # Of one domain, which the command names, and of the sample's classes.
            table = pd.DataFrame(texts())[["text", "label"]]
            table.replace({"bad": "negative", "good": "positive"}).to_csv(self.folder / source)
            self._once(plain)
        if mode == "add_class":
            table = pd.DataFrame(texts())[["text"]].assign(domain="books", label=given["name"])
            table.to_csv(self.folder / source)
        if mode in (*ON_EXPORTS, *STAGE_NAMES[1:]):
            self._once(plain)
        if mode in ON_EXPORTS:
            self._once([*plain, "--mode", "export"])
        if mode == "score":
            arguments = _without(arguments, "engine", "jobs")
        if mode == "export":
            return self._once([*plain, "--mode", "export"])
        return _succeed([*arguments, *settings])

    def _once(self, arguments: list[str]) -> None:
        """Run a command line that others need, unless it ran here or for another reader."""
        if tuple(arguments) in self._done:
            return
        self._done.add(tuple(arguments))
        runs = self.folder / "runs"
        kept = self.kept / hashlib.sha256("\0".join(arguments).encode()).hexdigest()
        if kept.exists():
            shutil.copytree(kept, runs, dirs_exist_ok=True)
            return
        _succeed(arguments)
        if runs.exists():
            shutil.copytree(runs, kept)

    def _paths(self, arguments: list[str]) -> None:
        """Files and folders of this project must be there."""
        for word in arguments:
            if "/" in word and not word.startswith(("-", "http")) and "=" not in word:
                assert (self.root / word.partition("::")[0]).exists(), word

    def _pip(self, arguments: list[str]) -> None:
        """Installing this project: the extras that are named must be declared."""
        project = tomllib.loads((self.root / "pyproject.toml").read_text(encoding="utf-8"))
        extras = project["project"]["optional-dependencies"]
        for argument in arguments:
            if match := re.fullmatch(r"\.(?:\[(.*)\])?", argument):
                for extra in filter(None, (match[1] or "").split(",")):
                    assert extra in extras, f"pyproject.toml has no extra {extra!r}"

    def _curl(self, arguments: list[str]) -> None:
        addresses = [word for word in arguments if word.startswith("http")]
        assert len(addresses) == 1, arguments
        assert _SERVING.fullmatch(addresses[0]), addresses[0]
        for flag, word in itertools.pairwise(arguments):
            if flag in ("-d", "--data"):
                assert {"instances", "inputs", "examples"} & set(json.loads(word)), word

    def _docker(self, arguments: list[str]) -> None:
        assert arguments[0] in ("run", "compose", "pull"), arguments
        images = [word for word in arguments if word.startswith("tensorflow/serving")]
        assert arguments[0] == "compose" or len(images) == 1, arguments


def _flags(arguments: list[str]) -> dict[str, object]:
    """Flags that a command line gives, as absl reads them."""
    with flagsaver.flagsaver():
        rest = flags.FLAGS(["easymft", *arguments])
        assert rest == ["easymft"], f"no flags: {rest[1:]}"
        names = ("config", "mode", "name", "set", "input", "local_workers")
        given = {name: flags.FLAGS[name].value for name in names}
        return {name: value for name, value in given.items() if value not in ("-", None)}


def _without(arguments: list[str], *names: str) -> list[str]:
    """A command line without some flags."""
    kept, skip = [], False
    for word in arguments:
        name, equals, _ = word.lstrip("-").partition("=")
        if skip:
            skip = False
        elif word.startswith("--") and name in names:
            skip = not equals and name != "dry_run"
        else:
            kept.append(word)
    return kept


def _succeed(arguments: list[str]) -> None:
    """Run the command line in this process, as `python -m easymft.run` does in one of its own."""
    eagerly = tf.config.functions_run_eagerly()
    with flagsaver.flagsaver():
        rest = flags.FLAGS(["easymft", *arguments])
        # An export is traced, and a model that is loaded is a graph.
        tf.config.run_functions_eagerly(eagerly and flags.FLAGS.mode not in ("export", *ON_EXPORTS))
        try:
            code = run.main(rest)
        finally:
            tf.config.run_functions_eagerly(eagerly)
    # 3: `--mode monitor` found that texts have changed.
    allowed = (0, 3) if "monitor" in arguments else (0,)
    assert code in allowed, f"`{shlex.join(arguments)}` ended with exit code {code}"


def _write_table(path: Path, columns: dict[str, str]) -> None:
    """A user's file with a text, label and domain in each row, under the names asked for."""
    table = pd.DataFrame(texts())
    if "text_pair" in columns:
        table["text_pair"] = table["text"][::-1].to_numpy()
    table = table.rename(columns={role: columns.get(role, role) for role in table.columns})
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        table.to_parquet(path)
    elif path.suffix == ".jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_csv(path, index=False, sep="\t" if ".tsv" in path.suffixes else ",")
