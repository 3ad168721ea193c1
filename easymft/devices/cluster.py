"""The workers of a run, as the environment variable TF_CONFIG names them.

TensorFlow takes what is wrong in it for an address to wait for, or fails somewhere inside.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from easymft.errors import InputError, did_you_mean, shown

JOBS = ("chief", "worker")
_ADDRESS = re.compile(r"[^\s/:\[\]]+:\d{1,5}|\[[0-9A-Fa-f:.]+\]:\d{1,5}")


def worker_addresses(cluster: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the addresses of the workers of a cluster, the chief's first."""
    return [address for job in JOBS for address in cluster.get(job, ())]


def addresses_of_environment() -> list[str]:
    """Return the addresses of the workers that TF_CONFIG names; none where it names no cluster.

    Raises:
        InputError: It is no JSON, or not `{"cluster": {JOB: [ADDRESS, ...]}, "task": {"type": JOB,
            "index": NUMBER}}`.
    """
    text = os.environ.get("TF_CONFIG") or "{}"
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"is no JSON ({error})", field="TF_CONFIG") from None
    config = _object(config, "TF_CONFIG", "with `cluster` and `task`")
    cluster = _object(config.get("cluster", {}), "TF_CONFIG.cluster", "of lists of addresses")
    for job, addresses in cluster.items():
        _check_job(job, addresses)
    addresses = worker_addresses(cluster)
    if twice := sorted({address for address in addresses if addresses.count(address) > 1}):
        raise InputError(f"{shown(twice[0])} is there twice", field="TF_CONFIG.cluster")
    if addresses:
        task = _object(config.get("task"), "TF_CONFIG.task", "with `type` and `index`")
        _check_task(task, cluster)
    return addresses


def _object(value: Any, field: str, rule: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"must be an object {rule}. Received: {shown(value)}", field=field)
    return value


def _check_job(job: str, addresses: Any) -> None:
    field = f"TF_CONFIG.cluster.{job}"
    if job not in JOBS:
        hint = did_you_mean(job, JOBS)
        raise InputError(f"no such job here; there are {' and '.join(JOBS)}{hint}", field=field)
    if not (isinstance(addresses, list) and all(isinstance(one, str) for one in addresses)):
        raise InputError(f"must be a list of addresses. Received: {shown(addresses)}", field=field)
    for address in addresses:
        if not (_ADDRESS.fullmatch(address) and int(address.rpartition(":")[2]) < 1 << 16):
            message = f"must be addresses such as host:2222. Received: {shown(address)}"
            raise InputError(message, field=field)
    if job == "chief" and len(addresses) > 1:
        raise InputError("there is one chief; the others are workers", field=field)


def _check_task(task: Mapping[str, Any], cluster: Mapping[str, Sequence[str]]) -> None:
    job, index = task.get("type"), task.get("index")
    if job not in cluster:
        raise InputError(
            f"must be a job of the cluster: {' or '.join(cluster)}. Received: {shown(job)}",
            field="TF_CONFIG.task.type",
        )
    # TensorFlow takes "1" for 1, and shells that fill in a template write it so.
    number = int(index) if isinstance(index, str) and index.isdecimal() else index
    if type(number) is not int or not 0 <= number < len(cluster[job]):
        raise InputError(
            f"must be 0 to {len(cluster[job]) - 1}, the place of this process among the {job}s of "
            f"the cluster. Received: {shown(index)}",
            field="TF_CONFIG.task.index",
        )
