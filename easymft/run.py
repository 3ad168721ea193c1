r"""Meta fine-tuning from a recipe.

    python -m easymft.run --config amazon

reads the recipe, trains the method it names on all domains and then for each domain, and leaves
models, predictions, metrics and a report in runs/<recipe>/<method>/seed-<n>/. The same command
continues a run that was interrupted.

Examples:
    What would happen, how long would it take?
        python -m easymft.run --config amazon --dry_run
    Another seed, another setting:
        python -m easymft.run --config amazon --seed 2 --set mft.alpha=0.75
    Only check the data:
        python -m easymft.run --config amazon --mode validate
"""

import contextlib
import importlib.metadata
import logging
import os
import platform
import sys
from collections.abc import Sequence

from absl import app, flags

import easymft
from easymft import preemption
from easymft.errors import InputError, WorkerError
from easymft.modes import MODES
from easymft.runs import STAGE_NAMES

logger = logging.getLogger(__name__)
# absl's own --verbosity, but with progress shown by default.
flags.FLAGS.set_default("verbosity", 0)

_TRAINING = ("run", "search", "compare", "audit")  # and each stage by itself

flags.DEFINE_string(
    "config", None, "The recipe: a JSON file, or the name of one that comes along, such as amazon."
)
_MODE = flags.DEFINE_enum(
    "mode",
    "run",
    list(MODES),
    "run: all stages that are not done yet. A stage's name: that stage only, once more; what was "
    "made from its old result is made anew by the next run. search: try the settings of the "
    "recipe's `search` on the development texts. compare: TF-IDF, a frozen encoder, mixing and "
    "meta fine-tuning side by side on the texts of a recipe, or of the data file --input, with "
    "advice. audit: list the labelled texts of a recipe, or of --input, whose labels may be "
    "wrong, that repeat each other or stand in the wrong domain, to decide on. tables: work out "
    "a sweep's tables again, from what it left in the folder --input. pack: write the tokenized "
    "corpus into the folder --output, for machines without TensorFlow. predict: label the texts "
    "of --input with the exported models. score: the same, or what --scores says, for many "
    "files, by --engine, into the folder --output. monitor: compare the texts of --input with "
    "those that the run was tried on, without labels; the exit code is 3 where a measure has "
    "moved beyond --limit. push: put the exported model and its card into the repository --name "
    "of the Hugging Face hub. add_domain: train small parts of the domain --name on the texts of "
    "--input beside a finished run's meta-learner, and export them. add_class: teach a finished "
    "run the class --name by the labelled texts of --input. remove_domain, remove_class: take "
    "--name away, and export the rest. init: look at the data file --input and write a recipe "
    "for it. list: the recipes of a folder (--config, else app_zoo), one line each. doctor: what "
    "is installed, what this machine computes with, and what is missing for which feature. "
    "render: print the complete recipe. schema: print the recipes' "
    "JSON schema.",
)
flags.DEFINE_multi_string(
    "set", [], "Override one setting: --set section.key=value (JSON or text). May be repeated."
)
flags.DEFINE_integer(
    "seed", None, "Seed of the run, or the one of a sweep or search; overrides the recipe's."
)
flags.DEFINE_string(
    "input",
    "-",
    "For --mode predict and monitor: CSV, TSV, JSONL, Parquet, a URL of these, or a pipe; -: "
    "standard input. For --mode score: files, a folder or a glob, on this machine or as a URL. For "
    "--mode init, compare and audit: the file or folder to look at. For --mode tables: the folder "
    "of a sweep. For --mode add_domain and add_class: labelled texts, with the recipe's columns.",
)
flags.DEFINE_enum(
    "input_format",
    "auto",
    ["auto", "lines", "csv", "tsv", "jsonl", "parquet"],
    "For --mode predict. lines: every line is a text. auto: what the name of --input says; of "
    "standard input what its beginning says, lines where that names no column of the recipe.",
)
flags.DEFINE_string(
    "output",
    "-",
    "For --mode predict: Parquet, CSV, TSV or JSONL, a URL too; -: JSONL on standard output. For "
    "--mode score: a folder or URL. For --mode init: "
    "the recipe to write; -: named after the input. For --mode pack: a new folder. For --mode "
    "monitor: a folder; -: monitor/ in the run's folder.",
)
flags.DEFINE_enum(
    "engine",
    "local",
    ["local", "ray"],
    "For --mode score. local: this process. ray: --jobs processes of this machine, or of the "
    "cluster that RAY_ADDRESS names.",
)
flags.DEFINE_enum(
    "scores",
    "labels",
    ["labels", "typicality"],
    "For --mode score. labels: what the exported model answers. typicality: of labelled texts, "
    "each beside the centroids of all.",
)
flags.DEFINE_float(
    "limit",
    0.25,
    "For --mode monitor: population stability index beyond which a measure has moved.",
    lower_bound=0,
)
flags.DEFINE_string(
    "name",
    None,
    "For --mode add_domain, remove_domain, add_class and remove_class: the domain, or the class. "
    "For --mode push: OWNER/NAME of the repository, which is private if it is made now.",
)
flags.DEFINE_bool(
    "dry_run",
    False,
    "Train nothing: print the complete recipe, data counts, steps and an estimate of the time. For "
    "--mode push: send nothing, print what would be sent.",
)
flags.DEFINE_bool("restart", False, "Move an existing run folder aside and start afresh.")
flags.DEFINE_float(
    "minutes",
    30,
    "For --mode compare: about how long it may take; what does not fit is left out and said. For "
    "--mode audit: how long it may take; more is refused.",
    lower_bound=0,
)
flags.DEFINE_integer(
    "budget",
    None,
    "For --mode audit: how many texts without a label (`data.files.unlabeled`) to choose for "
    "labelling next.",
    lower_bound=1,
)
flags.DEFINE_integer(
    "jobs",
    1,
    "For sweeps and searches: that many processes on this machine do runs side by side. Further "
    "commands, on any machine that shares `output_dir`, help too: runs that others work on are "
    "passed over. With GPUs, name one a process in CUDA_VISIBLE_DEVICES. For --mode score: the "
    "processes of the engine.",
    lower_bound=1,
)
flags.DEFINE_integer(
    "local_workers",
    0,
    "Try a distributed run out: start that many worker processes on this machine.",
    lower_bound=0,
)
_VERSION = flags.DEFINE_bool("version", False, "Print versions, for reports of faults, and end.")


def main(argv: Sequence[str]) -> int:
    """Run the command line; returns the exit code (0 done, 1 a fault, 2 bad input)."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without a letter shows its code
            stream.reconfigure(errors="backslashreplace")
    preemption.listen()
    try:
        return _work(argv)
    except BrokenPipeError:  # an OSError, but nothing to mend: see `cli`
        raise
    except InputError as error:
        return _ended(2, str(error))
    except (OSError, MemoryError) as error:
        logger.debug("The whole of it:", exc_info=True)
        reason = str(error).split("\n")[0] or type(error).__name__
        return _ended(1, f"{reason}; {_same_command()} once that is mended")
    except WorkerError as error:
        return _ended(1, f"{error}; start all of them again: {_same_command()}")
    except preemption.Stopped:
        return _ended(preemption.EXIT_CODE, f"asked to stop; {_same_command()}")
    except KeyboardInterrupt:
        return _ended(130, f"interrupted; {_same_command()}")


def _work(argv: Sequence[str]) -> int:
    if len(argv) > 1:
        raise InputError(f"unexpected argument {argv[1]!r}; settings go by --set key=value")
    if _VERSION.value:
        print(_version())
        return 0
    if flags.FLAGS.dry_run and _MODE.value not in (*_TRAINING, "push", *STAGE_NAMES):
        known = ", ".join((*_TRAINING, "push"))
        message = f"trains nothing that could be planned; --dry_run goes with {known}"
        raise InputError(message, field=f"--mode {_MODE.value}")
    code = MODES[_MODE.value]()
    sys.stdout.flush()
    return code


def _ended(code: int, reason: str) -> int:
    print(f"easymft: {reason}", file=sys.stderr)
    return code


def _same_command() -> str:
    """Say what becomes of what was done: stages go on, and what consists of runs."""
    goes_on = _MODE.value in ("run", *STAGE_NAMES, "search")
    return f"the same command {'continues' if goes_on else 'begins anew'}"


def _version() -> str:
    parts = [f"Python {platform.python_version()}"]
    for name in ("tensorflow", "keras", "keras-hub"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            parts.append(f"{name} {importlib.metadata.version(name)}")
    return f"easymft {easymft.__version__} ({', '.join(parts)})"


def cli() -> None:
    """Entry point of the `easymft` command."""
    # What --help shows is the main module's, which is another one unless this one is run.
    sys.modules["__main__"].__doc__ = __doc__
    for flag in flags.FLAGS.get_key_flags_for_module(__name__):
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
    try:
        app.run(main, flags_parser=_parse)
    except BrokenPipeError:  # whoever read the output has left; Python would flush it once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


def _parse(argv: Sequence[str]) -> list[str]:
    """Parse flags as absl does, with our exit codes: 2 for bad input, 0 for shown help."""
    try:
        return flags.FLAGS(list(argv))
    except flags.Error as error:
        print(f"easymft: {error}; --help lists the flags", file=sys.stderr)
        raise SystemExit(2) from None
    except SystemExit:
        raise SystemExit(0) from None


if __name__ == "__main__":
    cli()
