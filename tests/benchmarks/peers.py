"""Other tools that classify texts, each told no more than its documentation's example tells it,
but for what is the same for all: texts, encoder, length, batch, epochs and precision.

    python -m tests.benchmarks.peers TOLD.json ANSWER.json

reads texts and labels to learn and texts to answer, and writes probabilities. Needs the standard
library and the tool alone, because a tool may live in an environment of its own.
"""

import importlib.metadata
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Probabilities = list[list[float]]


def setfit(told: dict[str, Any]) -> Probabilities:
    """SetFit: pairs of texts of one class and of two, then a logistic regression."""
    import torch
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    model = SetFitModel.from_pretrained(told["encoder"])
    model.model_body.max_seq_length = told["length"]
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(prefix="setfit-"),
        batch_size=told["batch"],
        num_epochs=1,
        # All its pairs of some hundred texts are some ten thousand: hours on two cores.
        max_steps=told["setfit_steps"],
        seed=told["seed"],
        save_strategy="no",
        report_to="none",
    )
    data = Dataset.from_dict({"text": told["texts"], "label": told["labels"]})
    # It has a setting for half precision on GPUs alone.
    with torch.autocast("cpu", torch.bfloat16, enabled=told["bfloat16"]):
        Trainer(model, arguments, train_dataset=data).train()
    return model.predict_proba(told["questions"]).tolist()


def trainer(told: dict[str, Any]) -> Probabilities:
    """transformers' `Trainer`: all domains mixed, its own defaults, as many epochs as easymft."""
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    set_seed(told["seed"])
    tokenizer = AutoTokenizer.from_pretrained(told["encoder"])

    def tokenized(texts: list[str], labels: list[int] | None = None) -> list[dict[str, Any]]:
        tokens = tokenizer(texts, truncation=True, max_length=told["length"])
        rows = [{name: own[index] for name, own in tokens.items()} for index in range(len(texts))]
        return [row | {"labels": labels[i]} if labels else row for i, row in enumerate(rows)]

    model = AutoModelForSequenceClassification.from_pretrained(
        told["encoder"], num_labels=told["num_classes"]
    )
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(prefix="trainer-"),
        per_device_train_batch_size=told["batch"],
        num_train_epochs=told["epochs"],
        seed=told["seed"],
        bf16=told["bfloat16"],
        use_cpu=True,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    collator = DataCollatorWithPadding(tokenizer)
    data = tokenized(told["texts"], told["labels"])
    one = Trainer(model, arguments, data_collator=collator, train_dataset=data)
    one.train()
    logits = one.predict(tokenized(told["questions"])).predictions
    return torch.softmax(torch.tensor(logits), dim=-1).tolist()


def keras_hub(told: dict[str, Any]) -> Probabilities:
    """keras-hub's classifier: raw texts into `fit`, compiled as it compiles itself."""
    import keras
    import keras_hub
    import numpy as np

    keras.utils.set_random_seed(told["seed"])
    if told["bfloat16"]:
        keras.config.set_dtype_policy("mixed_bfloat16")
    kind = keras_hub.models.BertTextClassifierPreprocessor
    model = keras_hub.models.BertTextClassifier(
        keras_hub.models.BertBackbone.from_preset(told["encoder"]),
        num_classes=told["num_classes"],
        preprocessor=kind.from_preset(told["encoder"], sequence_length=told["length"]),
    )
    labels = np.array(told["labels"], "int32")
    batch, epochs = told["batch"], told["epochs"]
    model.fit(np.array(told["texts"]), labels, batch_size=batch, epochs=epochs, verbose=0)
    logits = model.predict(np.array(told["questions"]), batch_size=batch, verbose=0)
    return keras.ops.convert_to_numpy(keras.ops.softmax(logits.astype("float32"))).tolist()


@dataclass(frozen=True)
class Peer:
    """A tool: its row's title, what it does, and whether it may live in another environment."""

    title: str
    answer: Callable[[dict[str, Any]], Probabilities]
    packages: tuple[str, ...]
    is_apart: bool = True


PEERS = {
    "setfit": Peer("SetFit", setfit, ("setfit", "sentence-transformers", "torch")),
    "trainer": Peer("transformers Trainer, mixed", trainer, ("transformers", "torch")),
    "keras_hub": Peer("keras-hub, mixed", keras_hub, ("keras-hub", "tensorflow"), is_apart=False),
}


if __name__ == "__main__":
    told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    peer = PEERS[told["peer"]]
    versions = {name: importlib.metadata.version(name) for name in peer.packages}
    answer = {"probabilities": peer.answer(told), **versions}
    Path(sys.argv[2]).write_text(json.dumps(answer), encoding="utf-8")
