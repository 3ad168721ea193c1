"""Trains with transformers' `Trainer` on PyTorch, on texts that were tokenized before."""

import tempfile

from tests.benchmarks.worker import Times, serve, timed


def prepare(settings):
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    texts, padding = settings["texts"], settings["padding"]
    tokenizer = AutoTokenizer.from_pretrained(settings["folder"])
    tokens = tokenizer(
        texts["text"],
        texts["text_pair"],
        truncation=True,
        max_length=settings["length"],
        padding="max_length" if padding == "max_length" else False,
    )
    examples = [
        {**{name: values[index] for name, values in tokens.items()}, "labels": label}
        for index, label in enumerate(texts["label"])
    ]
    model = AutoModelForSequenceClassification.from_pretrained(
        settings["folder"], num_labels=texts["num_classes"]
    )
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(prefix="trainer-"),
        per_device_train_batch_size=settings["batch"],
        num_train_epochs=1,
        learning_rate=1e-5,
        train_sampling_strategy="group_by_length" if padding == "grouped" else "random",
        bf16=settings["precision"] == "mixed_bfloat16",
        use_cpu=True,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    collator = DataCollatorWithPadding(tokenizer)

    def one_round() -> Times:
        trainer = Trainer(model, arguments, data_collator=collator, train_dataset=examples)
        return timed(settings["name"], trainer.train)

    return one_round


if __name__ == "__main__":
    serve(prepare)
