"""The process of a contestant: it does a round whenever it is told to, and says what that took.

Needs the standard library alone, because a contestant may live in an environment of its own.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

Times = dict[str, dict[str, float]]


def timed(name: str, call: Callable[[], Any]) -> Times:
    """What a call took: `{name: {"wall": seconds, "cpu": processor's seconds}}`.

    The latter count all threads and all child processes that have ended.
    """
    wall, cpu = time.perf_counter(), _processor_seconds()
    call()
    return {name: {"wall": time.perf_counter() - wall, "cpu": _processor_seconds() - cpu}}


def _processor_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def serve(prepare: Callable[[dict[str, Any]], Callable[[], Times]]) -> None:
    """Prepare, do one round that is not counted, then a round for every line of standard input.

    Args:
        prepare: Takes the settings, the JSON file that the command line names; returns a round.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    with open(sys.argv[1], encoding="utf-8") as file:
        one_round = prepare(json.load(file))
    print(json.dumps(one_round()), file=answers)
    for _ in sys.stdin:
        print(json.dumps(one_round()), file=answers)
