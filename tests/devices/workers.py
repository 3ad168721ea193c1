"""Worker processes on this machine for tests: `python -m tests.devices.workers REPAIR`."""

import json
import os
import subprocess
import sys
from pathlib import Path

from easymft.devices.launcher import tf_configs

ROOT = Path(__file__).parents[2]


def start(count, command, folder, **environment):
    """Start workers that know of each other; their output goes to `folder/worker-<n>.log`."""
    processes = []
    for index, config in enumerate(tf_configs(count)):
        settings = {
            "TF_CONFIG": config,
            "CUDA_VISIBLE_DEVICES": "",
            "EASYMFT_CACHE_DIR": str(folder / "cache"),
            "PYTHONPATH": str(ROOT),
            **environment,
        }
        with open(log(folder, index), "w") as output:
            processes.append(
                subprocess.Popen(
                    [sys.executable, *command],
                    env={**os.environ, **settings},
                    stdout=output,
                    stderr=output,
                )
            )
    return processes


def log(folder, index):
    """Path of a worker's output."""
    return folder / f"worker-{index}.log"


def plain_user_code(repair):
    """What a user of Keras writes, nothing else of this package but the model.

    Args:
        repair: How much of Keras to repair: "all", "none", or only what comes "before" the first
            step.
    """
    import keras
    import numpy as np
    import tensorflow as tf

    from easymft.devices import replicas
    from easymft.models import MFTTextClassifier
    from tests.models.tiny import NUM_CLASSES, NUM_DOMAINS, tiny_backbone

    if repair == "none":
        replicas._reducing_scalars = replicas._building_on_one_part = lambda original: original
    elif repair == "before":
        replicas._reducing_scalars = lambda original: original
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    random = np.random.default_rng(1)
    inputs = {
        "token_ids": random.integers(0, 20, (13, 8)).astype("int32"),
        "padding_mask": np.ones((13, 8), "int32"),
        "segment_ids": np.zeros((13, 8), "int32"),
        "domain": random.integers(0, NUM_DOMAINS, 13).astype("int32"),
    }
    labels = random.integers(0, NUM_CLASSES, 13).astype("int32")
    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = MFTTextClassifier(tiny_backbone(), NUM_CLASSES, NUM_DOMAINS, seed=1)
        model.compile("adamw", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(inputs, labels, batch_size=4, epochs=2, verbose=0).history
    figures = model.evaluate(inputs, labels, batch_size=4, verbose=0, return_dict=True)
    drawn = [int(state.value.numpy()[0]) for state in model.random_states]
    weights = [float(np.abs(w).sum()) for w in model.get_weights()[: -len(drawn)]]
    print(json.dumps({"history": history, "figures": figures, "drawn": drawn, "weights": weights}))


if __name__ == "__main__":
    plain_user_code(sys.argv[1])
