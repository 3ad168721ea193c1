"""What the command line does in each `--mode`: one function each, which returns the exit code."""

import json
import logging
import os
import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from absl import flags
from absl import logging as absl_logging

from easymft.devices import launcher, start_up
from easymft.errors import InputError
from easymft.runs import STAGE_NAMES

if TYPE_CHECKING:
    from easymft.config import Config
    from easymft.runs.run import Run
    from easymft.runs.untrained_run import UntrainedRun

logger = logging.getLogger(__name__)

FLAGS = flags.FLAGS
"""Defined in `easymft.run`."""


def print_schema() -> int:
    """Print the recipes' JSON schema."""
    from easymft.config import Config

    print(json.dumps(Config.model_json_schema(), indent=2))
    return 0


def doctor() -> int:
    """Print what is here and what is missing; 1 where something that all need is amiss."""
    from easymft.doctor import diagnosis

    lines, sound = diagnosis()
    print("\n".join(lines))
    return 0 if sound else 1


def list_recipes() -> int:
    """Print the names and descriptions of the recipes of a folder, or of those that come along."""
    from easymft.config import loading

    print("\n".join(loading.list_recipes(FLAGS.config)))
    return 0


def init() -> int:
    """Write a recipe for a data file and print what was guessed."""
    from easymft.init import init_recipe

    print("\n".join(init_recipe(FLAGS.input, FLAGS.output, FLAGS.set)))
    return 0


def render() -> int:
    """Print the complete recipe."""
    _print_recipe(_config())
    return 0


def predict() -> int:
    """Label the texts of a file with the exported models of a run."""
    run = _run_of(_config())
    from easymft.export.predict import COLUMNS, predict_file

    data = run.config.data
    count = predict_file(
        run.folder.export,
        FLAGS.input,
        FLAGS.output,
        columns={**COLUMNS, **data.columns.model_dump(exclude_none=True)},
        input_format=FLAGS.input_format,
        encoding=data.encoding,
        delimiter=data.delimiter,
    )
    logger.info("%d texts labelled.", count)
    return 0


def score() -> int:
    """Label the files of a folder, glob or URL, or score their typicality, by an engine."""
    if FLAGS.output == "-" or FLAGS.input == "-":
        field = "--output" if FLAGS.output == "-" else "--input"
        raise InputError("is missing; name the files to read and a folder to write", field=field)
    config = _config()
    _start_tensorflow()
    from easymft.engines.score import label_files, typicality_of_files

    given = FLAGS.input, FLAGS.output, FLAGS.engine, FLAGS.jobs
    if FLAGS.scores == "typicality":
        count = typicality_of_files(config, *given)
    else:
        from easymft.runs.folder import RunFolder

        count = label_files(RunFolder(config).export, config, *given)
    logger.info("%d texts scored.", count)
    return 0


def pack() -> int:
    """Write the tokenized corpus into a folder."""
    if FLAGS.output == "-":
        raise InputError("must name a new folder", field="--output")
    data = _run_of(_config()).data
    from easymft.data.sources.packed import write_packed

    write_packed(FLAGS.output, data.corpus, data.tokens)
    logger.info("%d texts packed into %s.", len(data.corpus), FLAGS.output)
    return 0


def run() -> int:
    """Run all stages that are not done yet, the one that the mode names once more, or a sweep."""
    config = _config()
    if _asks_for_workers():
        return launcher.run_workers(FLAGS.local_workers, sys.argv[1:])
    only = None if FLAGS.mode == "run" else FLAGS.mode
    if config.sweep and only is None:
        return _many_runs(config)
    run = _run_to_validate(config) if only == "validate" and not FLAGS.dry_run else _run_of(config)
    if FLAGS.dry_run:
        return _dry_run(run)
    from easymft.runs.execution import execute

    _show(execute(run, only, FLAGS.restart))
    return 0


def search() -> int:
    """Try the settings of the recipe's `search` on the development texts."""
    config = _config()
    if config.search is None:
        raise InputError("the recipe has no `search`, the space of settings", field="--mode")
    if _asks_for_workers():
        return launcher.run_workers(FLAGS.local_workers, sys.argv[1:])
    return _many_runs(config)


def tables() -> int:
    """Print a sweep's tables, worked out again from what it left in its folder."""
    from easymft.runs.evidence import recompute_tables

    print(recompute_tables(FLAGS.input), end="")
    return 0


def compare() -> int:
    """Put methods side by side on the texts of a recipe, or of a data file, and give advice."""
    if FLAGS.config is None and FLAGS.input == "-":
        raise InputError("is missing; name a data file, or a recipe by --config", field="--input")
    _start_tensorflow()
    _show_little_of_each()
    from easymft.compare.comparison import Comparison
    from easymft.init import recipe_of

    recipe, overrides = FLAGS.config, _overrides()
    if recipe is None:
        # Its guesses stand in a recipe that the next command reads again.
        recipe = recipe_of(FLAGS.input, overrides)
    comparison = Comparison(recipe, overrides, FLAGS.minutes)
    if FLAGS.dry_run:
        print("\n".join(comparison.plan()))
        return 0
    print(comparison.run())
    print(f"Folder: {comparison.folder}")
    return 0


def push() -> int:
    """Put a run's exported model and its card into a repository of the Hugging Face hub."""
    run = _run_of(_config())
    from easymft.export.push import push

    print("\n".join(push(run.folder.export, FLAGS.name, FLAGS.dry_run).lines()))
    return 0


def audit() -> int:
    """List labelled texts of a recipe, or of a data file, whose labels may be wrong."""
    if FLAGS.config is None and FLAGS.input == "-":
        raise InputError("is missing; name a data file, or a recipe by --config", field="--input")
    _start_tensorflow()
    from easymft.auditing.audit import Audit
    from easymft.init import recipe_of

    overrides = _overrides()
    recipe = FLAGS.config or recipe_of(FLAGS.input, overrides)
    looking = Audit(recipe, overrides, FLAGS.minutes, FLAGS.budget)
    if FLAGS.dry_run:
        print("\n".join(looking.plan()))
        return 0
    print(looking.run())
    print(f"To decide on: {looking.folder}/audit.html, or audit.csv beside it")
    return 0


def monitor() -> int:
    """Compare served texts with those that a run was tried on; 3 where something has moved."""
    run = _run_of(_config())
    from pathlib import Path

    from easymft.monitor import monitor
    from easymft.report.drift import drift_lines

    folder = run.folder.path / "monitor" if FLAGS.output == "-" else Path(FLAGS.output)
    drift = monitor(run, FLAGS.input, FLAGS.limit, folder)
    print("\n".join(drift_lines(drift)))
    print(f"Report: {folder}/drift.html")
    return 3 if drift.moved else 0


def add_domain() -> int:
    """Train parts of a new domain beside a finished run's meta-learner."""
    run = _run_to_add_to("domain")
    from easymft.runs.domains import add_domain

    facts = add_domain(run, FLAGS.input, FLAGS.name)
    print(f"{FLAGS.name}: {facts['texts']} texts learned")
    if facts["mean_typicality"] is not None:
        print(f"Mean typicality beside the other domains: {facts['mean_typicality']:.3f}")
    return _exported(run, facts)


def add_class() -> int:
    """Teach a finished run a new class beside its others."""
    run = _run_to_add_to("class")
    from easymft.runs.classes import add_class

    facts = add_class(run, FLAGS.input, FLAGS.name)
    print(f"{FLAGS.name}: {facts['texts_of_class']} of {facts['texts']} texts are of it")
    return _exported(run, facts)


def remove_domain() -> int:
    """Take a domain's parts away from a finished run."""
    run = _run_to_add_to("domain", texts=False)
    from easymft.runs.domains import remove_domain

    return _exported(run, remove_domain(run, FLAGS.name))


def remove_class() -> int:
    """Take a class that was added away from a finished run."""
    run = _run_to_add_to("class", texts=False)
    from easymft.runs.classes import remove_class

    return _exported(run, remove_class(run, FLAGS.name))


MODES: dict[str, Callable[[], int]] = {
    "run": run,
    "compare": compare,
    "audit": audit,
    **dict.fromkeys(STAGE_NAMES, run),
    "search": search,
    "tables": tables,
    "pack": pack,
    "predict": predict,
    "score": score,
    "push": push,
    "monitor": monitor,
    "add_domain": add_domain,
    "remove_domain": remove_domain,
    "add_class": add_class,
    "remove_class": remove_class,
    "init": init,
    "doctor": doctor,
    "list": list_recipes,
    "render": render,
    "schema": print_schema,
}


def _asks_for_workers() -> bool:
    return bool(FLAGS.local_workers and not FLAGS.dry_run)


def _dry_run(run: "Run") -> int:
    from easymft.runs.plan import plan

    _print_recipe(run.config)
    dry = plan(run)
    print("\n".join(dry.lines()))
    dry.report.raise_for_problems()
    return 0


def _show_little_of_each() -> None:
    """Show the warnings of many runs, each once, and how far they are; each has its own run.log."""
    if FLAGS.verbosity >= 1:
        return
    own, seen = ("easymft.runs.sweep", "easymft.compare"), set()

    def is_shown(record: logging.LogRecord) -> bool:
        if record.levelno <= logging.INFO:
            return record.name.startswith(own)
        is_new = record.getMessage() not in seen
        seen.add(record.getMessage())
        return is_new

    logging.getLogger().handlers[0].addFilter(is_shown)


def _many_runs(config: "Config") -> int:
    """Do the runs of a recipe's `sweep`, or with --mode search of its `search`."""
    if FLAGS.jobs > 1:
        own, *others = launcher.devices(FLAGS.jobs)
        os.environ["CUDA_VISIBLE_DEVICES"] = own
    _start_tensorflow()
    from easymft.devices.distribution import Distribution
    from easymft.runs.search import Search
    from easymft.runs.sweep import Sweep

    kind = Search if FLAGS.mode == "search" else Sweep
    _show_little_of_each()
    overrides = _overrides()
    if FLAGS.seed is not None:
        overrides.append(f"{kind.__name__.lower()}.seeds=[{FLAGS.seed}]")
    many = kind(FLAGS.config, overrides)
    if FLAGS.dry_run:
        _print_recipe(many.config)
        for line in many.plan():
            print(line, flush=True)
        return 0
    settings, restart = config.distribution, FLAGS.restart
    if FLAGS.jobs > 1 and restart:
        many.move_aside()
        restart = False
    with Distribution.of(settings.strategy, settings.tpu).only_chief_writes(many.folder):
        if FLAGS.jobs > 1:
            with launcher.helpers(others, sys.argv[1:]):
                many.run()
        # Once more after helpers: what they did is in the tables, and what they left is done.
        print(many.run(restart))
    print(f"Folder: {many.folder}")
    return 0


def _overrides() -> list[str]:
    return [*FLAGS.set, *([] if FLAGS.seed is None else [f"seed={FLAGS.seed}"])]


def _config() -> "Config":
    from easymft.config.loading import load_config

    if FLAGS.config is None:
        raise InputError(
            "is missing; name a recipe, such as amazon; --mode list shows them", field="--config"
        )
    return load_config(FLAGS.config, _overrides())


def _run_of(config: "Config") -> "Run":
    """Return a recipe's run, with logging set up and TensorFlow imported."""
    _start_tensorflow()
    from easymft.runs.run import Run

    return Run(config)


def _run_to_validate(config: "Config") -> "UntrainedRun":
    """Return a recipe's run, with TensorFlow imported only if validating it takes that."""
    _start_logging()
    from easymft.runs.unaided import unaided_run

    return unaided_run(config) or _run_of(config)


def _run_to_add_to(kind: str, texts: bool = True) -> "Run":
    """Return the run that a domain or class, named by --name, is added to or taken from."""
    if FLAGS.name is None:
        raise InputError(f"is missing; name the {kind}", field="--name")
    if texts and FLAGS.input == "-":
        raise InputError(f"is missing; name the file of the {kind}'s texts", field="--input")
    return _run_of(_config())


def _exported(run: "Run", facts: dict[str, Any]) -> int:
    print("\n".join(f"{run.folder.path}/{model}" for model in facts["models"]))
    return 0


def _start_logging() -> int:
    """Show what easymft says, from the level that is asked for; returns that."""
    level = absl_logging.converter.absl_to_standard(FLAGS.verbosity)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger().handlers[0].setLevel(level)
    logging.getLogger("easymft").setLevel(level)
    absl_logging.set_verbosity(absl_logging.ERROR)
    return level


def _start_tensorflow() -> None:
    level = _start_logging()
    silently = level > logging.DEBUG
    start_up.start(silently)
    if silently:
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from easymft.devices.freed_memory import keep_freed_memory

    keep_freed_memory()


def _print_recipe(config: "Config") -> None:
    print(json.dumps(config.to_dict(), indent=2, ensure_ascii=False))


def _show(summary: dict[str, Any]) -> None:
    """Print a run's end on one screen: what stands out, results, where all is, what is next."""
    from easymft.config import METHODS
    from easymft.report import case_study_table, results_table
    from easymft.report.answers import answer_sentences

    if summary["case_study"] and FLAGS.mode in ("run", "report"):
        print(case_study_table(summary["case_study"]), end="\n\n")
    if summary["metrics"]:
        if summary["stages"]["validate"]["is_sample"]:
            print("WARNING: bundled sample, not the corpus that the recipe names.\n")
        split = summary["config"]["evaluate_on"][-1]
        print(f"{summary['method']}, {split} accuracy in percent\n")
        print(results_table(summary["metrics"], split), end="\n\n")
        if sentences := answer_sentences(summary):
            print("\n".join(sentences), end="\n\n")
    print(f"Run folder: {summary['folder']}")
    if "report" in summary["stages"]:
        print(f"Report: {summary['folder']}/report.html")
        if METHODS[summary["config"]["method"]].has_encoder:
            print(f"Next: {_next_command('export' in summary['stages'])}")


def _next_command(exported: bool) -> str:
    words = ["--config", FLAGS.config]
    settings = [item for item in FLAGS.set if not item.startswith("distribution.")]
    words += [word for item in settings for word in ("--set", item)]
    words += [] if FLAGS.seed is None else ["--seed", str(FLAGS.seed)]
    following = "predict --input YOUR_TEXTS.csv --output labels.csv" if exported else "export"
    return f"python -m easymft.run {shlex.join(words)} --mode {following}"
