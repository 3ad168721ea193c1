"""Scores raw texts: our classifier in three ways, transformers' on PyTorch and ONNX Runtime.

Ours start as `--mode predict` does, and so keep freed memory; the others are left as their users
have them.
"""

import tempfile
from pathlib import Path

from tests.benchmarks.worker import Times, serve, timed

DOMAINS = ("books", "dvd", "electronics", "kitchen")


def prepare(settings):
    texts, how = settings["texts"]["text"], settings["how"]
    score = {
        "keras": _keras,
        "graph": _graph,
        "combined": _combined,
        "transformers": _transformers,
        "onnx": _onnx,
    }[how](settings)

    def one_round() -> Times:
        return timed(settings["name"], lambda: score(texts))

    return one_round


def _classifier(settings):
    from easymft.devices import start_up

    start_up.start()
    from easymft.devices.freed_memory import keep_freed_memory

    keep_freed_memory()
    from easymft.devices.machine import precision_policy
    from easymft.models import TextClassifier

    return TextClassifier.from_preset(
        settings["preset"],
        labels=["negative", "positive"],
        max_length=settings["length"],
        dtype=precision_policy(settings["precision"]),
    )


def _keras(settings):
    """The model in this process, as Keras' `predict` takes texts."""
    model = _classifier(settings)
    return lambda texts: model.predict(texts, batch_size=settings["batch"], verbose=0)


def _graph(settings):
    """The exported graph, as `--mode predict` asks it."""
    return _exported(settings, {"meta-learner": _classifier(settings)}, "meta-learner")


def _combined(settings):
    """The exported graph of four domains' models, asked for texts of all domains mixed."""
    models = {name: _classifier(settings) for name in ("meta-learner", *DOMAINS)}
    return _exported(settings, models, "combined")


def _exported(settings, models, name):
    from easymft.export import export_run
    from easymft.export.predictor import Predictor, in_batches

    preprocessor = next(iter(models.values())).preprocessor
    folder = Path(tempfile.mkdtemp(prefix="easymft-"))
    export_run(models, preprocessor, ["negative", "positive"], DOMAINS, folder)
    predictor = Predictor(folder / name)

    def score(texts):
        domains = [DOMAINS[row % len(DOMAINS)] for row in range(len(texts))]
        columns = {"text": texts, "domain": domains if name == "combined" else [""] * len(texts)}
        return in_batches(predictor, columns, settings["batch"])

    return score


def _transformers(settings):
    """PyTorch, texts sorted by length and each batch padded to its own longest one."""
    import torch

    model = _hugging_face(settings)
    model = model.to(torch.bfloat16 if settings["precision"] == "bfloat16" else torch.float32)

    @torch.inference_mode()
    def answers(tokens):
        return torch.softmax(model(**tokens).logits.float(), dim=-1).tolist()

    return _by_length(settings, answers, "pt")


def _onnx(settings):
    """ONNX Runtime on the same batches; writes the texts' embeddings to a file beforehand."""
    import numpy as np
    import torch

    from tests.benchmarks import onnx_graph

    tokens = _tokenizer(settings)(["good", "not good"], padding=True, return_tensors="pt")
    model = _hugging_face(settings, attn_implementation="eager")
    session = onnx_graph.session(model, dict(tokens), settings["precision"])

    def answers(tokens):
        (logits,) = session.run(["logits"], dict(tokens))
        return torch.softmax(torch.from_numpy(logits), dim=-1).tolist()

    def embeddings(tokens):
        (hidden,) = session.run(["hidden"], dict(tokens))
        mask = tokens["attention_mask"][:, :, None]
        return np.sum(hidden * mask, axis=1) / np.sum(mask, axis=1)

    embedded = _by_length(settings, embeddings, "np")(settings["texts"]["text"])
    np.save(settings["embeddings"], np.array(embedded))
    return _by_length(settings, answers, "np")


def _hugging_face(settings, **options):
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(0)  # of the head, which the encoder does not have
    return AutoModelForSequenceClassification.from_pretrained(
        settings["folder"], num_labels=2, **options
    ).eval()


def _tokenizer(settings):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(settings["folder"])


def _by_length(settings, answers_of, tensors):
    """Scores by `answers_of` batches of tokens: texts of similar length, padded to the longest."""
    tokenizer = _tokenizer(settings)

    def score(texts):
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        answers = [None] * len(texts)
        for start in range(0, len(texts), settings["batch"]):
            rows = order[start : start + settings["batch"]]
            tokens = tokenizer(
                [texts[row] for row in rows],
                truncation=True,
                max_length=settings["length"],
                padding=True,
                return_tensors=tensors,
            )
            for row, answer in zip(rows, answers_of(tokens), strict=True):
                answers[row] = answer
        return answers

    return score


if __name__ == "__main__":
    serve(prepare)
