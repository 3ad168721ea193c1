"""Texts a second and memory of `--mode score`, by engine and number of workers.

    python -m tests.benchmarks.engines --texts_in_all 2000000 --files 200 --kill

Texts are of four to twelve words, and the model is a BERT of one layer and width 4: what is timed
is all that is around a model: reading, tokenizing, routing, writing, and moving work about. The
first row is one process. `--kill` kills a worker of the last row's engine in the middle. All rows'
answers must be the same.
"""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from absl import app, flags

from easymft.engines import parts as planning
from easymft.engines.score import ENGINES
from easymft.engines.tasks import Labels
from easymft.export.predict import COLUMNS
from easymft.report.markdown import plain_table
from tests.models.hugging_face import write_bert

_TEXTS = flags.DEFINE_integer("texts_in_all", 2_000_000, "Texts in all.", 1)
_FILES = flags.DEFINE_integer("files", 200, "Files that they are in.", 1)
_JOBS = flags.DEFINE_list("ray_workers", ["1", "2"], "Numbers of Ray's workers.")
_KILL = flags.DEFINE_bool("kill", False, "Kill a worker of the last row in the middle.")
WORDS = ("the", "cafe", "good", "goodness", "!")
_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Known(Labels):
    """Leaves the ids of the processes that do it."""

    folder: str = ""

    def open(self):
        Path(self.folder, str(os.getpid())).touch()
        return super().open()


def main(argv: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="easymft-engines-") as folder:
        jobs = [int(number) for number in _JOBS.value]
        print(plain_table(measured(Path(folder), _TEXTS.value, _FILES.value, jobs)))


def measured(folder: Path, texts: int, files: int, all_jobs: Sequence[int]) -> list[list[str]]:
    """Return a row for each engine; raises where answers are not those of one process."""
    write_texts(folder / "in", texts, files)
    export = write_export(folder)
    engines = [("local", 1), *(("ray", jobs) for jobs in all_jobs)]
    rows = [["engine", "workers", "killed", "texts a second", "most memory of a worker, MB"]]
    expected = None
    for number, (engine, jobs) in enumerate(engines, start=1):
        killing = number == len(engines) > 1 and _KILL.value
        seconds, memory = _timed(folder, export, engine, jobs, files, killing)
        out = folder / f"out-{engine}-{jobs}"
        found = [pq.read_table(path) for path in sorted(out.glob("part-*.parquet"))]
        expected = expected or found
        if found != expected or sum(table.num_rows for table in found) != texts:
            raise AssertionError(f"{engine} with {jobs} workers answers otherwise")
        rate = f"{texts / seconds:,.0f}"
        rows.append([engine, str(jobs), "1" if killing else "0", rate, f"{memory:,.0f}"])
    return rows


def write_texts(folder: Path, texts: int, files: int) -> None:
    """Write so many short texts of three domains into so many files."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(files):
        rows = texts // files + (number < texts % files)
        lengths = random.integers(4, 13, rows)
        words = iter(np.array(WORDS)[random.integers(0, len(WORDS), lengths.sum())].tolist())
        lines = [" ".join(next(words) for _ in range(length)) for length in lengths]
        domains = [("books", "films", "")[place % 3] for place in range(rows)]
        ids = [f"{number}-{row}" for row in range(rows)]
        table = pa.table({"id": ids, "text": lines, "domain": domains})
        pq.write_table(table, folder / f"{number:04d}.parquet")


def write_export(folder: Path) -> Path:
    """Export a classifier that nobody trained, with a model for one domain."""
    from easymft.export import export_run
    from easymft.models import TextClassifier, load_backbone, load_preprocessor

    write_bert(folder / "bert", num_layers=1)
    models = {
        name: TextClassifier(load_backbone(str(folder / "bert")), 2, 2)
        for name in ("meta-learner", "books")
    }
    preprocessor = load_preprocessor(str(folder / "bert"), 12)
    names = (["bad", "good"], ["books", "films"])
    return export_run(models, preprocessor, *names, folder / "export")[-1]


def _timed(
    folder: Path, export: Path, engine: str, jobs: int, files: int, killing: bool
) -> tuple[float, float]:
    """Return the seconds from the first finished file to the last one, per all, and memory."""
    pids = folder / f"pids-{engine}-{jobs}"
    pids.mkdir()
    parts = planning.plan(str(folder / "in"), str(folder / f"out-{engine}-{jobs}"), {})
    task = Known(str(export), COLUMNS, folder=str(pids))
    peak, done = _Peak(pids), threading.Event()
    watch = threading.Thread(target=peak.watch, args=(done,))
    watch.start()
    times = []
    for _ in ENGINES[engine](task, parts, jobs):
        times.append(time.perf_counter())
        if killing and len(times) == files // 2:
            os.kill(int(next(pids.iterdir()).name), signal.SIGKILL)
    done.set()
    watch.join()
    # Starting, which takes seconds, is left out: of all files but the first.
    return (times[-1] - times[0]) * files / max(files - 1, 1), peak.megabytes


class _Peak:
    """The most memory that any of the processes whose ids stand in a folder held."""

    def __init__(self, pids: Path):
        self._pids, self.megabytes = pids, 0.0

    def watch(self, done: threading.Event) -> None:
        while not done.wait(_LOOK_SECONDS):
            for path in self._pids.iterdir():
                status = Path("/proc", path.name, "status")
                try:
                    lines = status.read_text().splitlines()
                except OSError:  # it has ended
                    continue
                held = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
                self.megabytes = max([self.megabytes, *(kilobytes / 1024 for kilobytes in held)])


if __name__ == "__main__":
    app.run(main)
