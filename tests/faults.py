"""Kills a small run again and again, and compares what it ends with: `python -m tests.faults`.

A run with a reference result is repeated, killed with SIGKILL (or asked to stop with SIGTERM) at
random moments of every stage and resumed by the same command each time, until it is done; and so
again until there are enough kills. After each kill every file that stands under its final name must
be whole.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from tests.small_run import write_recipe

ROOT = Path(__file__).parents[1]
STAGES = (
    *("validate", "typicality", "meta_fine_tune", "fine_tune"),
    *("evaluate", "diagnose", "report", "export"),
)
# Where the kills of one run fall: twice in the stages that train.
VISITS = sorted((*STAGES, "meta_fine_tune", "fine_tune"), key=STAGES.index)
PHASE = {"epochs": 8, "learning_rate": 0.01, "batch_size": 8}
EXIT_CODES = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 75}


class Kill(NamedTuple):
    """One interruption: where it fell, and what stood in the folder then."""

    number: int
    run: str
    signal: str
    stage: str
    after: float
    exit_code: int
    whole_files: int
    step: int | None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--term", action="store_true", help="SIGTERM for every second kill")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="easymft-faults-") as folder:
        kills, differences = interrupted(Path(folder), **vars(arguments))
    print("| kill | run | signal | in stage | after s | exit code | whole files | step |")
    print("| ---: | --- | --- | --- | ---: | ---: | ---: | ---: |")
    for kill in kills:
        step = "" if kill.step is None else kill.step
        cells = (*kill[:4], f"{kill.after:.1f}", *kill[5:7], step)
        print("| " + " | ".join(map(str, cells)) + " |")
    print("\nEqual to the run that was never killed." if not differences else "\nDIFFERENT:")
    print("\n".join(differences))
    return 1 if differences else 0


def interrupted(
    folder: Path,
    kills: int,
    seed: int,
    term: bool,
    visits: Sequence[str] = VISITS,
    fine_tune: dict = PHASE,
) -> tuple[list[Kill], list[str]]:
    """Kill runs `kills` times; returns the kills, and in what runs differ from an unkilled one.

    Args:
        folder: Where the runs go.
        kills: How many kills.
        seed: Of their moments.
        term: Whether every second is SIGTERM.
        visits: The stages that a run is killed in, in the order of the run.
        fine_tune: Settings of the stage that costs most.
    """
    phases = {"meta_fine_tune": PHASE, "fine_tune": fine_tune}
    recipe = write_recipe(folder, export=True, diagnose=True, **phases)
    finish(folder, recipe, "whole")
    whole = _folder(folder, "whole")
    seconds = {name: _json(whole / f"stages/{name}.json")["seconds"] for name in STAGES}
    chance = random.Random(seed)
    done, differences = [], []
    while len(done) < kills:
        name = f"killed-{len(differences) + 1}"
        for stage in visits[: kills - len(done)]:
            kind = signal.SIGTERM if term and len(done) % 2 else signal.SIGKILL
            after = chance.uniform(0, seconds[stage])
            kill = _kill(folder, recipe, name, len(done) + 1, stage, after, kind)
            done += [] if kill is None else [kill]
        finish(folder, recipe, name)
        found = list(_differences(whole, _folder(folder, name)))
        differences.append(f"{name}: {', '.join(found)}" if found else "")
    return done, [found for found in differences if found]


def finish(folder: Path, recipe: Path, name: str) -> None:
    """Run to the end."""
    with open(folder / f"{name}.log", "a") as log:
        subprocess.run(
            _command(recipe, name), check=True, stdout=log, stderr=log, env=_environment(folder)
        )


def program() -> None:
    """The command line, with a checkpoint after every few steps."""
    from easymft import run
    from easymft.methods import session

    session.CHUNK_STEPS, session.CHECKPOINT_SECONDS = 3, 0.0
    run.cli()


def _kill(
    folder: Path,
    recipe: Path,
    name: str,
    number: int,
    stage: str,
    after: float,
    kind: signal.Signals,
) -> Kill | None:
    """Kill a run so long after a stage began, or as it ends; `None` where the run was faster."""
    log = folder / f"kill-{number}.log"
    with open(log, "w") as output:
        process = subprocess.Popen(
            _command(recipe, name), stdout=output, stderr=output, env=_environment(folder)
        )
    begun, now = None, time.monotonic
    while process.poll() is None and (begun is None or now() - begun < after):
        text = log.read_text()
        if begun is None and _reached(text, stage):
            begun = now()
        if f"Stage {stage}: done" in text:
            break
        time.sleep(0.02)
    process.send_signal(kind)
    code = process.wait()
    if code == 0:
        return None
    if code != EXIT_CODES[kind]:
        raise AssertionError(f"exit code {code}: {log.read_text()[-2000:]}")
    run = _folder(folder, name)
    states = run.glob("checkpoints/*.partial/history.json")
    steps = [history[-1]["step"] for history in map(_json, states) if history]
    at = re.findall(r"Stage (\w+) \.\.\.", log.read_text())
    return Kill(
        number,
        name,
        kind.name,
        at[-1] if at else "start",
        0.0 if begun is None else now() - begun,
        code,
        _read_all(run),
        int(max(steps)) if steps else None,
    )


def _reached(log: str, stage: str) -> bool:
    """Whether the log tells that `stage`, or a later one, has begun."""
    later = STAGES[STAGES.index(stage) :]
    return any(f"Stage {name} ..." in log for name in later)


def _read_all(run: Path) -> int:
    """Read every file under its final name; raises where one is not whole."""
    count = 0
    for path in run.rglob("*"):
        if any(part.startswith(".tmp-") for part in path.parts) or not path.is_file():
            continue
        if path.suffix == ".json":
            _json(path)
        elif path.suffix == ".parquet":
            pq.read_table(path)
        elif path.suffix == ".keras":
            if zipfile.ZipFile(path).testzip() is not None:
                raise AssertionError(f"{path} is damaged")
        else:
            continue
        count += 1
    return count


def _folder(folder: Path, name: str) -> Path:
    return folder / "runs" / name / "mft/seed-1"


def _differences(one: Path, other: Path) -> Iterator[str]:
    for name in ("splits.json", "metrics.json", "diagnostics.json"):
        if _json(one / name) != _json(other / name):
            yield name
    for name in ("predictions.parquet", "typicality.parquet", "embeddings.parquet"):
        if not pq.read_table(one / name).equals(pq.read_table(other / name)):
            yield name
    for path in other.rglob(".tmp-*"):
        yield f"left behind: {path.relative_to(other)}"
    for path in other.glob("export/*/2"):
        yield f"exported twice: {path.relative_to(other)}"
    if other.with_name(f".{other.name}.lock").exists():
        yield "left behind: the lock"


def _command(recipe: Path, name: str) -> list[str]:
    code = "from tests import faults; faults.program()"
    return [sys.executable, "-c", code, "--config", str(recipe), "--set", f"name={name}"]


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "EASYMFT_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": str(ROOT)}


def _json(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
