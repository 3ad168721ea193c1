"""What configs/ says to Kubernetes and Slurm gives every worker the TF_CONFIG that it needs."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from easymft.config.loading import load_config

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def run(tmp_path):
    """Run a command where `python` tells how it was called and what TF_CONFIG is."""

    def program(name, text):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def call(command, code=0, **environment):
        program("python", f'echo "$*"; echo "$TF_CONFIG"; exit {code}')
        program("srun", 'for id in 0 1; do SLURM_PROCID=$id "$@" || code=$?; done; exit $code')
        program("scontrol", '[ $1 = show ] && printf "n1\\nn2\\n" || echo "$@"')
        path = f"{tmp_path}:{os.environ['PATH']}"
        done = subprocess.run(
            command, env={"PATH": path, **environment}, capture_output=True, text=True
        )
        assert done.stderr == ""
        return done

    return call


def task(config):
    config = json.loads(config)
    assert config["task"]["type"] == "worker"
    return config["cluster"]["worker"], config["task"]["index"]


def test_kubernetes(run):
    service, job = yaml.safe_load_all((CONFIGS / "kubernetes.yaml").read_text())
    spec = job["spec"]
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    workers = next(entry["value"] for entry in container["env"] if entry["name"] == "WORKERS")
    assert int(workers) == spec["completions"] == spec["parallelism"]
    assert pod["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    command = [*container["command"], *container["args"]]
    called, *config = run(command, WORKERS=workers, JOB_COMPLETION_INDEX="1").stdout.splitlines()
    assert called == "-m easymft.run --config recipe.json"
    hosts, index = task("".join(config))
    assert (hosts, index) == (["easymft-0.easymft:2222", "easymft-1.easymft:2222"], 1)
    assert spec["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"] == [75]


@pytest.mark.parametrize("code", [0, 1, 75])
def test_slurm(run, code):
    command = ["bash", str(CONFIGS / "slurm.sh"), "a recipe.json"]
    done = run(command, code, SLURM_JOB_NODELIST="n[1-2]", SLURM_JOB_ID="7")
    assert done.returncode == code
    assert done.stdout.endswith("requeue 7\n") == (code == 75)
    calls = done.stdout.removesuffix("requeue 7\n").split("-m easymft.run --config a recipe.json\n")
    assert [task(config) for config in calls[1:]] == [
        (["n1:2222", "n2:2222"], index) for index in range(2)
    ]


@pytest.mark.parametrize("name", ["mirrored", "multi_worker", "tpu"])
def test_fragments_set_the_strategy_they_are_named_after(name, tmp_path):
    (tmp_path / "mine.json").write_text(json.dumps({"include": str(CONFIGS / f"{name}.json")}))
    assert load_config(tmp_path / "mine.json").distribution.strategy == name
