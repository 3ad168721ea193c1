"""Requests that a server replays before it answers the first real one.

The protos are those of the `tensorflow-serving-api` package: 30 kB without dependencies of its own
beyond TensorFlow's, and the definition of the format itself.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
SPECIAL_TOKENS = 4  # of a pair at most, RoBERTa's
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
    lengths: Sequence[int] = (),
    batch_size: int = 32,
) -> None:
    """Write `assets.extra/tf_serving_warmup_requests` of a SavedModel.

    Every signature is called, with one text and with a full batch, and in a combined model every
    domain's model runs: what has not run before makes the first request hundreds of times slower.
    So does, by less, a shape that has not been met: every length is called with both.

    Args:
        version_folder: The SavedModel.
        model_name: Its name on the server.
        pair: Whether the model takes `text_pair`.
        domains: Names for the input `domain`; `None`: the model has no such input.
        lengths: Numbers of tokens that batches are padded to, special ones included.
        batch_size: Texts of the full batch.
    """
    import tensorflow as tf

    file = version_folder / WARMUP_FILE
    file.parent.mkdir(exist_ok=True)
    # The unknown domain last: the meta-learner.
    routes = [None] if domains is None else [*domains, ""]
    with tf.io.TFRecordWriter(str(file)) as writer:
        for log in _logs(model_name, pair, routes, lengths, batch_size):
            writer.write(log.SerializeToString())


def _logs(
    model_name: str,
    pair: bool,
    routes: list[str | None],
    lengths: Sequence[int],
    batch_size: int,
) -> Iterator[Any]:
    full = (routes * batch_size)[: max(batch_size, len(routes))]
    # The server reads 1,000 requests at most; a full batch runs all domains at once.
    for batch in [*([route] for route in routes[:250]), full]:
        inputs = _inputs([TEXTS[row % len(TEXTS)] for row in range(len(batch))], pair, batch)
        for signature in ("serving_default", "embed"):
            yield _predict_log(model_name, signature, inputs)
        yield _classify_log(model_name, inputs)
    for length in lengths:
        # Words of one piece in every vocabulary, fewer than fit by the most special tokens.
        text = " ".join("." * (length - SPECIAL_TOKENS))
        for batch in (routes[:1], full):
            inputs = _inputs([text] * len(batch), pair, batch)
            yield _predict_log(model_name, "serving_default", inputs)


def _inputs(texts: list[str], pair: bool, routes: list[str | None]) -> dict[str, list[Any]]:
    inputs: dict[str, list[Any]] = {"text": texts}
    if pair:
        inputs["text_pair"] = texts[::-1] if len(set(texts)) > 1 else [""] * len(texts)
    if routes[0] is not None:
        inputs["domain"] = routes
    return inputs


def _predict_log(model_name: str, signature: str, inputs: dict[str, list[str]]) -> Any:
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = model_name
    request.model_spec.signature_name = signature
    for name, values in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values, tf.string))
    return log


def _classify_log(model_name: str, inputs: dict[str, list[str]]) -> Any:
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    request = log.classify_log.request
    request.model_spec.name = model_name
    request.model_spec.signature_name = "classify"
    for row in zip(*inputs.values(), strict=True):
        example = request.input.example_list.examples.add()
        for name, value in zip(inputs, row, strict=True):
            example.features.feature[name].bytes_list.value.append(value.encode())
    return log
