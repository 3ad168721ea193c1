"""Starts processes on this machine: the workers of one run, or helpers with a sweep's runs."""

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from easymft import preemption

logger = logging.getLogger(__name__)

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


def devices(count: int) -> list[str]:
    """Return what CUDA_VISIBLE_DEVICES is to be for each of `count` processes.

    Two processes cannot share a GPU: each gets its own of those that the user named, or none.
    """
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return named[:count] if len(named) >= count else [""] * count


@contextlib.contextmanager
def helpers(own_devices: Sequence[str], arguments: Sequence[str]) -> Iterator[None]:
    """Let other processes do runs of the same sweep while the block does; wait for them.

    Of what they say, warnings and errors are shown. When the block fails, or the program is asked
    to stop, they are stopped. One that ends early is told; its runs are left for who comes after.

    Args:
        own_devices: Of each of them, see `devices`.
        arguments: The command line, `--jobs` among it.
    """
    command = [sys.executable, "-m", "easymft.run", *arguments]
    command += ["--jobs=1", "--norestart", "--verbosity=-1"]
    started = [
        subprocess.Popen(
            command,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": device},
            stdout=subprocess.DEVNULL,
        )
        for device in own_devices
    ]
    try:
        yield
        while None in [process.poll() for process in started]:
            preemption.check()
            time.sleep(POLL_SECONDS)
    finally:
        _end(started)
    for process in started:
        if process.returncode:
            logger.warning("A process beside this one ended with code %d.", process.returncode)


def tf_configs(count: int) -> list[str]:
    """Return the TF_CONFIG of each of `count` workers on free ports of this machine."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in _free_ports(count)]}
    tasks = [{"type": "worker", "index": index} for index in range(count)]
    return [json.dumps({"cluster": cluster, "task": task}) for task in tasks]


def _start(command: list[str], index: int, count: int, config: str) -> subprocess.Popen:
    own = {"CUDA_VISIBLE_DEVICES": devices(count)[index], "TF_CONFIG": config}
    environment = {**os.environ, **own}
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
