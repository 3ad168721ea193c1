r"""Meta fine-tuning from a recipe.

    python -m easymft.run --config app_zoo/amazon.json

reads the recipe, trains the method it names on all domains and then for each domain, and leaves
models, predictions, metrics and a report in runs/<recipe>/<method>/seed-<n>/. The same command
continues a run that was interrupted.

Examples:
    What would happen, how long would it take?
        python -m easymft.run --config app_zoo/amazon.json --dry_run
    Another seed, another setting:
        python -m easymft.run --config app_zoo/amazon.json --seed 2 --set mft.alpha=0.75
    Only check the data:
        python -m easymft.run --config app_zoo/amazon.json --mode validate
"""

import json
import logging
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from absl import app, flags
from absl import logging as absl_logging

from easymft.devices import launcher, preemption
from easymft.devices.start_up import import_tensorflow
from easymft.errors import InputError, WorkerError

if TYPE_CHECKING:
    from easymft.config import Config
    from easymft.runs.experiment import Experiment

logger = logging.getLogger(__name__)
# absl's own --verbosity, but with progress shown by default.
flags.FLAGS.set_default("verbosity", 0)

# Stage names stand here too, so that `--help` needs no TensorFlow.
STAGES = (
    "validate",
    "typicality",
    "meta_fine_tune",
    "fine_tune",
    "evaluate",
    "diagnose",
    "report",
    "export",
)
MODES = ("run", *STAGES, "search", "pack", "predict", "init", "list", "render", "schema")

_CONFIG = flags.DEFINE_string("config", None, "The recipe: a JSON file, such as one of app_zoo/.")
_MODE = flags.DEFINE_enum(
    "mode",
    "run",
    MODES,
    "run: all stages that are not done yet. A stage's name: that stage only, once more; what was "
    "made from its old result is made anew by the next run. search: try the settings of the "
    "recipe's `search` on the development texts. pack: write the tokenized corpus into the folder "
    "--output, for machines without TensorFlow. predict: label the texts of --input "
    "with the exported models. init: look at the data file --input and "
    "write a recipe for it. list: the recipes of a folder (--config, else app_zoo), one line "
    "each. render: print the complete recipe. schema: print the recipes' JSON schema.",
)
_SET = flags.DEFINE_multi_string(
    "set", [], "Override one setting: --set section.key=value (JSON or text). May be repeated."
)
_SEED = flags.DEFINE_integer(
    "seed", None, "Seed of the run, or the one of a sweep or search; overrides the recipe's."
)
_INPUT = flags.DEFINE_string(
    "input",
    "-",
    "For --mode predict: CSV, TSV, JSONL or Parquet; -: lines of standard input. For --mode init: "
    "the file or folder to look at.",
)
_OUTPUT = flags.DEFINE_string(
    "output",
    "-",
    "For --mode predict: Parquet, CSV, TSV or JSONL; -: JSONL on standard output. For --mode init: "
    "the recipe to write; -: named after the input. For --mode pack: a new folder.",
)
_DRY_RUN = flags.DEFINE_bool(
    "dry_run",
    False,
    "Train nothing: print the complete recipe, data counts, steps and an estimate of the time.",
)
_RESTART = flags.DEFINE_bool(
    "restart", False, "Move an existing run folder aside and start afresh."
)
_LOCAL_WORKERS = flags.DEFINE_integer(
    "local_workers",
    0,
    "Try a distributed run out: start that many worker processes on this machine.",
    lower_bound=0,
)


def main(argv: Sequence[str]) -> int:
    """Run the command line; returns the exit code (0 done, 1 a fault, 2 bad input)."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without a letter shows its code
            stream.reconfigure(errors="backslashreplace")
    preemption.listen()
    try:
        if len(argv) > 1:
            raise InputError(f"unexpected argument {argv[1]!r}; settings go by --set key=value")
        return _dispatch()
    except InputError as error:
        print(f"easymft: {error}", file=sys.stderr)
        return 2
    except (OSError, MemoryError) as error:
        logger.debug("The whole of it:", exc_info=True)
        reason = str(error).split("\n")[0] or type(error).__name__
        print(f"easymft: {reason}; the same command continues once that is mended", file=sys.stderr)
        return 1
    except WorkerError as error:
        print(
            f"easymft: {error}; start all of them again: the same command continues",
            file=sys.stderr,
        )
        return 1
    except preemption.Stopped:
        print("easymft: asked to stop; the same command continues", file=sys.stderr)
        return preemption.EXIT_CODE
    except KeyboardInterrupt:
        print("easymft: interrupted; the same command continues", file=sys.stderr)
        return 130


def _dispatch() -> int:
    from easymft.config.loading import list_recipes, load_config

    if _MODE.value == "schema":
        from easymft.config import Config

        print(json.dumps(Config.model_json_schema(), indent=2))
        return 0
    if _MODE.value == "list":
        print("\n".join(list_recipes(_CONFIG.value or "app_zoo")))
        return 0
    if _MODE.value == "init":
        from easymft.init import init_recipe

        print("\n".join(init_recipe(_INPUT.value, _OUTPUT.value, _SET.value)))
        return 0
    if _CONFIG.value is None:
        raise InputError("is missing; name a recipe, such as app_zoo/amazon.json", field="--config")
    overrides = list(_SET.value)
    if _SEED.value is not None:
        overrides.append(f"seed={_SEED.value}")
    config = load_config(_CONFIG.value, overrides)
    if _MODE.value == "render":
        print(json.dumps(config.to_dict(), indent=2, ensure_ascii=False))
        return 0

    if _LOCAL_WORKERS.value and not _DRY_RUN.value and _MODE.value not in ("predict", "pack"):
        return launcher.run_workers(_LOCAL_WORKERS.value, sys.argv[1:])
    _set_up_logging()
    from easymft.devices.freed_memory import keep_freed_memory

    keep_freed_memory()
    if _MODE.value == "search" or (_MODE.value == "run" and config.sweep):
        return _many_runs(config, overrides)
    from easymft.runs.experiment import Experiment

    experiment = Experiment(config)
    if _MODE.value == "predict":
        return _predict(experiment)
    if _MODE.value == "pack":
        return _pack(experiment)
    if _DRY_RUN.value:
        return _dry_run(experiment)
    _show(experiment.run(None if _MODE.value == "run" else _MODE.value, _RESTART.value))
    return 0


def _set_up_logging() -> None:
    level = absl_logging.converter.absl_to_standard(flags.FLAGS.verbosity)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger().handlers[0].setLevel(level)
    logging.getLogger("easymft").setLevel(level)
    absl_logging.set_verbosity(absl_logging.ERROR)
    silently = level > logging.DEBUG
    import_tensorflow(silently)
    if silently:
        logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _many_runs(config: "Config", overrides: Sequence[str]) -> int:
    """A recipe's `sweep`, or with --mode search its `search`."""
    from easymft.devices.distribution import Distribution
    from easymft.runs.search import Search
    from easymft.runs.sweep import Sweep

    kind = Search if _MODE.value == "search" else Sweep
    if kind is Search and config.search is None:
        raise InputError("the recipe has no `search`, the space of settings", field="--mode")
    if flags.FLAGS.verbosity < 1:
        # Of the single runs only warnings are shown; each has its own run.log.
        logging.getLogger().handlers[0].addFilter(
            lambda record: record.levelno > logging.INFO or record.name == "easymft.runs.sweep"
        )
    if _SEED.value is not None:
        overrides = [*overrides, f"{kind.__name__.lower()}.seeds=[{_SEED.value}]"]
    many = kind(_CONFIG.value, overrides)
    if _DRY_RUN.value:
        print(json.dumps(many.config.to_dict(), indent=2, ensure_ascii=False))
        for line in many.plan():
            print(line, flush=True)
        return 0
    settings = config.distribution
    with Distribution.of(settings.strategy, settings.tpu).only_chief_writes(many.folder):
        print(many.run(_RESTART.value))
    print(f"Folder: {many.folder}")
    return 0


def _predict(experiment: "Experiment") -> int:
    from easymft.export.predict import COLUMNS, predict_file

    columns = {**COLUMNS, **experiment.config.data.columns.model_dump(exclude_none=True)}
    count = predict_file(experiment.folder.export, _INPUT.value, _OUTPUT.value, columns=columns)
    logger.info("%d texts labelled.", count)
    return 0


def _pack(experiment: "Experiment") -> int:
    from easymft.data.sources.packed import write_packed

    if _OUTPUT.value == "-":
        raise InputError("must name a new folder", field="--output")
    data = experiment.data
    write_packed(_OUTPUT.value, data.corpus, data.tokens)
    logger.info("%d texts packed into %s.", len(data.corpus), _OUTPUT.value)
    return 0


def _dry_run(experiment: "Experiment") -> int:
    from easymft.runs.plan import plan

    print(json.dumps(experiment.config.to_dict(), indent=2, ensure_ascii=False))
    dry = plan(experiment.state)
    print("\n".join(dry.lines()))
    dry.report.raise_for_problems()
    return 0


def _show(summary: dict[str, Any]) -> None:
    """The end of a run on one screen: what stands out, results, where all is, what to do next."""
    from easymft.report import case_study_table, results_table

    if summary["case_study"] and _MODE.value in ("run", "report"):
        print(case_study_table(summary["case_study"]), end="\n\n")
    if summary["metrics"]:
        if summary["stages"]["validate"]["is_sample"]:
            print("WARNING: bundled sample, not the corpus that the recipe names.\n")
        split = summary["config"]["evaluate_on"][-1]
        print(f"{summary['method']}, {split} accuracy in percent\n")
        print(results_table(summary["metrics"], split), end="\n\n")
    print(f"Run folder: {summary['folder']}")
    if "report" in summary["stages"]:
        print(f"Report: {summary['folder']}/report.html")
        following = "predict --input YOUR_TEXTS.csv --output labels.csv"
        mode = following if "export" in summary["stages"] else "export"
        again = ["--config", _CONFIG.value]
        settings = [item for item in _SET.value if not item.startswith("distribution.")]
        again += [word for item in settings for word in ("--set", item)]
        again += [] if _SEED.value is None else ["--seed", str(_SEED.value)]
        print(f"Next: python -m easymft.run {shlex.join(again)} --mode {mode}")


def cli() -> None:
    """Entry point of the `easymft` command."""
    app.run(main, flags_parser=_parse)


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
