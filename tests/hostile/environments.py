"""Environment variables and settings of other programs that no run can start with."""

import json

from tests.hostile.base import settings, spoiled
from tests.hostile.case import Case


def _tf_config(index: object) -> dict[str, str]:
    cluster = {"worker": ["127.0.0.1:2222", "127.0.0.1:2223"]}
    task = {"type": "worker", "index": index}
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}


CASES = [
    Case(
        "environment: a backend that Keras has and easymft has not",
        settings(),
        ("`KERAS_BACKEND`: must be tensorflow or jax, or unset. Received: 'torch'",),
        environment={"KERAS_BACKEND": "torch"},
        light=True,
    ),
    Case(
        "environment: a keras.json that Keras refuses",
        spoiled(lambda folder: (folder / "keras.json").write_text('{"floatx": "float8"}')),
        ("keras.json: Keras does not start with it (", "mend or remove it"),
        environment={"KERAS_HOME": "."},
        light=True,
    ),
    Case(
        "environment: a worker beyond the cluster",
        settings(),
        ("`TF_CONFIG.task.index`: must be 0 to 1", "Received: 2"),
        environment=_tf_config(2),
    ),
    Case(
        "environment: half a TF_CONFIG",
        settings(),
        ("`TF_CONFIG`: is no JSON",),
        environment={"TF_CONFIG": _tf_config(0)["TF_CONFIG"][:40]},
    ),
]
