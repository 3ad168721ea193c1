"""Run the catalogue through the real command line and show what every bad input was answered.

    python -m tests.hostile [--processes 2] [words of a case's name ...]

Exits with 1 where an answer is not as the catalogue says, or took too long or too much memory.
"""

import argparse
import os
import signal
import sys
import tempfile
import textwrap
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.hostile.case import Case, faults, message_of, snapshot
from tests.hostile.catalogue import CASES

MAX_SECONDS = 30  # of processor time: that others use the machine too is no fault
MAX_MEGABYTES = 2048
_KILL_SECONDS = 600  # by the clock, for what waits for ever
_PROGRAM = ("-m", "easymft.run")


@dataclass
class _Trial:
    """A case, the folder it runs in, and what came of it."""

    case: Case
    folder: Path
    commands: list[tuple[str, ...]] = field(default_factory=list)
    before: dict = field(default_factory=dict)
    code: int = 0
    seconds: float = 0.0
    megabytes: int = 0
    faults: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.commands = [*self.case.first, self.case.argv]

    @property
    def errors(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.errors")

    def start(self) -> tuple[str, ...]:
        """Prepare for the next command and return it."""
        command = self.commands.pop(0)
        if not self.commands:
            if self.case.damage is not None:
                self.case.damage(self.folder)
            self.before = snapshot(self.folder)
        return command

    def end(self, status: int, usage) -> bool:
        """Take note of a command's end; returns whether the trial is over."""
        self.code = os.waitstatus_to_exitcode(status)
        self.seconds = usage.ru_utime + usage.ru_stime
        self.megabytes = usage.ru_maxrss >> 10
        said = self.errors.read_text(encoding="utf-8", errors="replace")
        if self.commands:
            if self.code == 0:
                return False
            self.faults.append(f"a command before it ended with {self.code}: {message_of(said)}")
            return True
        self.faults = faults(self.case, self.folder, self.before, self.code, said)
        if self.seconds > MAX_SECONDS:
            self.faults.append(f"more than {MAX_SECONDS} s")
        if self.megabytes > MAX_MEGABYTES:
            self.faults.append(f"more than {MAX_MEGABYTES} MB")
        return True

    def row(self) -> str:
        said = self.errors.read_text(encoding="utf-8", errors="replace")
        message = message_of(said) if self.case.exit_code else ", ".join(self.case.says)
        short = textwrap.shorten(message.replace(str(self.folder), "."), 100, placeholder=" ...")
        verdict = "" if not self.faults else f"\n    FAULT: {'; '.join(self.faults)}"
        return (
            f"{self.case.name:<52} {self.code:>4} {self.seconds:>5.1f} {self.megabytes:>5}  "
            f"{short}{verdict}"
        )


def main() -> int:
    """Run the cases that the command line asks for; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("words", nargs="*", help="run the cases whose names hold one of these")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    words = arguments.words or [""]
    cases = [case for case in CASES if any(word in case.name for word in words)]
    print(f"{'case':<52} {'exit':>4} {'s':>5} {'MB':>5}  message", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hostile-") as scratch:
        os.environ["EASYMFT_CACHE_DIR"] = str(Path(scratch, "cache"))
        os.environ.pop("EASYMFT_DATA_DIR", None)
        trials = [_Trial(case, Path(scratch, f"{n}")) for n, case in enumerate(cases)]
        _run_all([trial for trial in trials if trial.case.light], _spawn, arguments.processes)
        if heavy := [trial for trial in trials if not trial.case.light]:
            _import_all()
            _run_all(heavy, _copy, arguments.processes)
        failed = sum(bool(trial.faults) for trial in trials)
        slowest = max(trials, key=lambda trial: trial.seconds)
        largest = max(trials, key=lambda trial: trial.megabytes)
        print(
            f"\n{len(trials)} cases, {failed} not as they should be, "
            f"{time.monotonic() - began:.0f} s in all; at most {slowest.seconds:.1f} s "
            f"({slowest.case.name}) and {largest.megabytes} MB ({largest.case.name})"
        )
    return 1 if failed else 0


def _run_all(trials: list[_Trial], start, processes: int) -> None:
    """Run trials, so many at a time, and print each as it ends."""
    waiting, running = list(reversed(trials)), {}
    while waiting or running:
        while waiting and len(running) < processes:
            trial = waiting.pop()
            if not trial.folder.exists():
                trial.folder.mkdir()
                trial.case.build(trial.folder)
            running[start(trial, trial.start())] = trial
        pid, status, usage = os.wait4(-1, 0)
        trial = running.pop(pid)
        if trial.end(status, usage):
            print(trial.row(), flush=True)
        else:
            waiting.append(trial)


def _import_all() -> None:
    """Import what every later case needs, once: its process is a copy of this one."""
    from easymft.devices import start_up

    start_up.start()
    import easymft.runs.execution
    import easymft.runs.plan  # noqa: F401


def _spawn(trial: _Trial, command: tuple[str, ...]) -> int:
    """Start the command line in a new interpreter; returns its process id."""
    return _fork(trial, lambda: os.execv(sys.executable, [sys.executable, *_PROGRAM, *command]))


def _copy(trial: _Trial, command: tuple[str, ...]) -> int:
    """Run the command line in a copy of this process; returns its process id."""
    return _fork(trial, lambda: _command_line(trial, command))


def _fork(trial: _Trial, work: Callable[[], int]) -> int:
    """Do `work` in the trial's folder and environment, in a process of its own.

    Not `subprocess`, which waits by itself for a child whose `Popen` is gone, so that `wait4`
    sometimes finds none.
    """
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    code = 70
    try:
        signal.alarm(_KILL_SECONDS)  # also of the program that takes this one's place
        os.chdir(trial.folder)
        os.environ.update(trial.case.environment)
        with open(trial.errors, "wb") as errors, open(os.devnull, "r+b") as null:
            for descriptor, file in enumerate((null, null, errors)):
                os.dup2(file.fileno(), descriptor)
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _command_line(trial: _Trial, command: tuple[str, ...]) -> int:
    from easymft import run

    if trial.case.trains:
        import tensorflow as tf

        # Tracing would take most of the time of a training of seconds.
        tf.config.run_functions_eagerly(True)
    sys.argv = ["easymft", *command]
    try:
        run.cli()
    except SystemExit as end:
        return end.code or 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
