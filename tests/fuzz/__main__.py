"""Fuzz the readers of what users give us, with atheris (`pip install easymft[fuzz]`).

    python -m tests.fuzz [--seconds 300] [--keep FOLDER] [reviews|tables|recipes ...]

Each target runs in a process of its own. What makes one raise anything but an `InputError`, or
takes longer than 20 s or more than 2 GB, ends it, and is written to FOLDER; so is what reached new
code. Mended, it belongs into `tests/fuzz/seeds.py`.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.seeds import FOUND, GOOD, WORDS

MAX_BYTES = 8192
MAX_SECONDS = 20
MAX_MEGABYTES = 2048


def main() -> int:
    """Fuzz what the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    # argparse holds the empty list, which stands for all, against the choices too.
    parser.add_argument("targets", nargs="*", metavar="target", choices=[[], *GOOD])
    parser.add_argument("--seconds", type=int, default=300, help="for each target")
    parser.add_argument("--keep", type=Path, help="folder for what is found")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    keep = arguments.keep or Path(tempfile.mkdtemp(prefix="easymft-fuzz-"))
    if arguments.inside:
        _fuzz(arguments.targets[0], arguments.seconds, keep)
    failed = []
    for target in arguments.targets or GOOD:
        command = [sys.executable, "-m", "tests.fuzz", "--inside", target]
        command += ["--seconds", str(arguments.seconds), "--keep", str(keep)]
        print(f"--- {target}", flush=True)
        if subprocess.run(command).returncode:
            failed.append(target)
    print(f"{', '.join(failed)} failed; see {keep}" if failed else f"nothing found; see {keep}")
    return 1 if failed else 0


def _fuzz(target: str, seconds: int, keep: Path) -> None:
    """Fuzz one target until its time is over; ends the process."""
    import atheris

    with atheris.instrument_imports(include=["easymft", "csv", "json", "html"]):
        from tests.fuzz.targets import TARGETS

    corpus = keep / target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate([*GOOD[target], *FOUND[target]]):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = keep / f"{target}.dict"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS[target]))
    atheris.Setup(
        [
            "fuzz",
            f"-max_total_time={seconds}",
            f"-max_len={MAX_BYTES}",
            f"-timeout={MAX_SECONDS}",
            f"-rss_limit_mb={MAX_MEGABYTES}",
            f"-dict={words}",
            f"-artifact_prefix={keep}/{target}-",
            "-print_final_stats=1",
            str(corpus),
        ],
        TARGETS[target],
    )
    atheris.Fuzz()


def _escaped(word: str) -> str:
    """A word as libFuzzer's dictionaries want it."""
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


if __name__ == "__main__":
    sys.exit(main())
