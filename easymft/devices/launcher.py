"""Starts several workers of one run on this machine, to try a distributed run out."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from easymft import preemption

POLL_SECONDS = 0.5
STOP_SECONDS = 30.0  # what workers have to save and end, before they are killed


def run_workers(count: int, arguments: Sequence[str]) -> int:
    """Run the command line in `count` processes that find each other through TF_CONFIG.

    The first worker's output is shown; of the others, their warnings and errors. When one fails,
    the others are stopped. SIGTERM goes on to all.

    Args:
        count: Number of workers.
        arguments: The command line, `--local_workers` among it.

    Returns:
        0 if all ended well, otherwise the exit code of the first that did not; 1 if a signal
        ended it.
    """
    command = [sys.executable, "-m", "easymft.run", *arguments, "--local_workers=0"]
    command += ["--set", "distribution.strategy=multi_worker"]
    workers = [
        _start(command, index, count, config) for index, config in enumerate(tf_configs(count))
    ]
    try:
        with preemption.deferred():
            code = _wait(workers)
    finally:
        _end(workers)
    return code


def tf_configs(count: int) -> list[str]:
    """Return the TF_CONFIG of each of `count` workers on free ports of this machine."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in _free_ports(count)]}
    tasks = [{"type": "worker", "index": index} for index in range(count)]
    return [json.dumps({"cluster": cluster, "task": task}) for task in tasks]


def _start(command: list[str], index: int, count: int, config: str) -> subprocess.Popen:
    environment = {**os.environ, "TF_CONFIG": config}
    # Two processes cannot share a GPU: each gets its own of those that the user named, or none.
    devices = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    environment["CUDA_VISIBLE_DEVICES"] = devices[index] if len(devices) >= count else ""
    if index == 0:
        return subprocess.Popen(command, env=environment)
    quiet = [*command, "--verbosity=-1"]
    return subprocess.Popen(quiet, env=environment, stdout=subprocess.DEVNULL)


def _wait(workers: list[subprocess.Popen]) -> int:
    forwarded = False
    while True:
        codes = [worker.poll() for worker in workers]
        for index, code in enumerate(codes):
            if code:
                if code != preemption.EXIT_CODE:
                    how = f"signal {-code}" if code < 0 else f"exit code {code}"
                    print(
                        f"easymft: worker {index} of {len(workers)} ended with {how}; the others "
                        "are stopped, the same command continues",
                        file=sys.stderr,
                    )
                return code if code > 0 else 1
        if None not in codes:
            return 0
        if preemption.requested() and not forwarded:
            _signal(workers)
            forwarded = True
        time.sleep(POLL_SECONDS)


def _end(workers: list[subprocess.Popen]) -> None:
    """Give workers that still run the time to save, then kill them."""
    _signal(workers)
    last = time.monotonic() + STOP_SECONDS
    for worker in workers:
        try:
            worker.wait(max(last - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def _signal(workers: list[subprocess.Popen]) -> None:
    for worker in workers:
        if worker.poll() is None:
            worker.send_signal(signal.SIGTERM)


def _free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody listens at now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
