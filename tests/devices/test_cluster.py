"""TF_CONFIG is read as it is meant, or refused in one line that names the key."""

import json

import pytest

from easymft.devices.cluster import addresses_of_environment
from easymft.errors import InputError

TWO = ["a:1", "b:2"]
FIRST = {"type": "worker", "index": 0}


def addresses(monkeypatch, value):
    text = value if isinstance(value, str) else json.dumps(value)
    monkeypatch.setenv("TF_CONFIG", text)
    return addresses_of_environment()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ({}, []),
        ({"cluster": {}}, []),
        ({"environment": "cloud", "task": {}}, []),
        ({"cluster": {"worker": TWO}, "task": {"type": "worker", "index": 1}}, TWO),
        ({"cluster": {"worker": TWO}, "task": {"type": "worker", "index": "1"}}, TWO),
        ({"cluster": {"worker": ["c:3"], "chief": ["b:2"]}, "task": FIRST}, ["b:2", "c:3"]),
        ({"cluster": {"worker": ["[::1]:22", "h-1.x_y:65535"]}, "task": FIRST}, 2),
    ],
)
def test_the_chief_comes_first(monkeypatch, value, expected):
    found = addresses(monkeypatch, value)
    assert (len(found) if isinstance(expected, int) else found) == expected


def config(cluster=None, **task):
    return {"cluster": {"worker": TWO} if cluster is None else cluster, "task": {**FIRST, **task}}


@pytest.mark.parametrize(
    ("value", "field", "words"),
    [
        ("{", "TF_CONFIG", "is no JSON"),
        ("[" * 100_000, "TF_CONFIG", "is no JSON"),
        ("7", "TF_CONFIG", "must be an object with `cluster` and `task`. Received: 7"),
        ({"cluster": TWO}, "TF_CONFIG.cluster", "must be an object of lists"),
        ({"cluster": None}, "TF_CONFIG.cluster", "must be an object of lists"),
        (config({"workers": TWO}), "TF_CONFIG.cluster.workers", "did you mean 'worker'"),
        (config({"worker": TWO, "ps": ["c:1"]}), "TF_CONFIG.cluster.ps", "chief and worker"),
        (config({"worker": "a:1"}), "TF_CONFIG.cluster.worker", "must be a list of addresses"),
        (config({"worker": [1, 2]}), "TF_CONFIG.cluster.worker", "must be a list of addresses"),
        (config({"worker": ["a", "b"]}), "TF_CONFIG.cluster.worker", "such as host:2222"),
        (config({"worker": ["http://a:1"]}), "TF_CONFIG.cluster.worker", "such as host:2222"),
        (config({"worker": ["a:66000"]}), "TF_CONFIG.cluster.worker", "such as host:2222"),
        (config({"worker": ["a: 1"]}), "TF_CONFIG.cluster.worker", "such as host:2222"),
        (config({"chief": TWO}), "TF_CONFIG.cluster.chief", "there is one chief"),
        (config({"worker": ["a:1", "a:1"]}), "TF_CONFIG.cluster", "'a:1' is there twice"),
        (config({"chief": ["a:1"], "worker": ["a:1"]}), "TF_CONFIG.cluster", "twice"),
        ({"cluster": {"worker": TWO}}, "TF_CONFIG.task", "must be an object with `type`"),
        ({"cluster": {"worker": TWO}, "task": 1}, "TF_CONFIG.task", "must be an object"),
        (config(type="chief"), "TF_CONFIG.task.type", "of the cluster: worker. Received: 'chief'"),
        (config(type=None), "TF_CONFIG.task.type", "Received: None"),
        (config(index=2), "TF_CONFIG.task.index", "must be 0 to 1"),
        (config(index=-1), "TF_CONFIG.task.index", "must be 0 to 1"),
        (config(index="one"), "TF_CONFIG.task.index", "Received: 'one'"),
        (config(index=True), "TF_CONFIG.task.index", "Received: True"),
        (config(index=0.5), "TF_CONFIG.task.index", "Received: 0.5"),
        (config(index=None), "TF_CONFIG.task.index", "Received: None"),
    ],
)
def test_what_is_wrong_is_named(monkeypatch, value, field, words):
    with pytest.raises(InputError) as caught:
        addresses(monkeypatch, value)
    assert caught.value.field == field
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
