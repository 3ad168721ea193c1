"""Requests that a server replays before it answers the first real one.

The protos are those of the `tensorflow-serving-api` package: 30 kB without dependencies of its own
beyond TensorFlow's, and the definition of the format itself.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
TEXTS = (
    "Good.",
    "It does what it says, and it has done so every day for a year.",
    "I expected more: the sound is thin, the battery is empty after an hour, and nobody answers.",
)


def write_warmup_requests(
    version_folder: Path,
    model_name: str,
    *,
    pair: bool,
    domains: Sequence[str] | None,
    batch_size: int = 32,
) -> None:
    """Write `assets.extra/tf_serving_warmup_requests` of a SavedModel.

    Every signature is called, with one text and with a full batch, and in a combined model every
    domain's model runs: what has not run before makes the first request hundreds of times slower.

    Args:
        version_folder: The SavedModel.
        model_name: Its name on the server.
        pair: Whether the model takes `text_pair`.
        domains: Names for the input `domain`; `None`: the model has no such input.
        batch_size: Texts of the full batch.
    """
    import tensorflow as tf

    file = version_folder / WARMUP_FILE
    file.parent.mkdir(exist_ok=True)
    # The unknown domain last: the meta-learner.
    routes = [None] if domains is None else [*domains, ""]
    with tf.io.TFRecordWriter(str(file)) as writer:
        for log in _logs(model_name, pair, routes, batch_size):
            writer.write(log.SerializeToString())


def _logs(model_name: str, pair: bool, routes: list[str | None], batch_size: int) -> Iterator[Any]:
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    batches = [[route] for route in routes]
    # The server reads 1,000 requests at most; a full batch runs all domains at once.
    batches = [*batches[:300], (routes * batch_size)[: max(batch_size, len(routes))]]
    for batch in batches:
        inputs = {"text": [TEXTS[row % len(TEXTS)] for row in range(len(batch))]}
        if pair:
            inputs["text_pair"] = inputs["text"][::-1]
        if batch[0] is not None:
            inputs["domain"] = batch
        for signature in ("serving_default", "embed"):
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = model_name
            request.model_spec.signature_name = signature
            for name, values in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(values, tf.string))
            yield log
        log = prediction_log_pb2.PredictionLog()
        request = log.classify_log.request
        request.model_spec.name = model_name
        request.model_spec.signature_name = "classify"
        for row in zip(*inputs.values(), strict=True):
            example = request.input.example_list.examples.add()
            for name, value in zip(inputs, row, strict=True):
                example.features.feature[name].bytes_list.value.append(value.encode())
        yield log
