"""Plain results of a run, made by hand, as the report takes them."""

import numpy as np
import pyarrow as pa

COUNTS = {"train": 40, "dev": 10, "test": 40}


def figures(classes, texts=40, right=30):
    """Of one domain: `right` of `texts` on the diagonal, the rest one class further."""
    confusion = np.zeros((classes, classes), int)
    for number in range(texts):
        row = number % classes
        confusion[row, row if number < right else (row + 1) % classes] += 1
    accuracy = right / texts
    return {
        "texts": texts,
        "accuracy": accuracy,
        "accuracy_interval": [max(accuracy - 0.1, 0), min(accuracy + 0.1, 1)],
        "macro_f1": accuracy,
        "confusion": confusion.tolist(),
    }


def summary(
    domains=("books", "films"), labels=("bad", "good"), kinds=("meta_learner", "fine_tuned")
):
    """What `easymft.runs.execution.execute` returns, for these names."""
    test = {
        "domains": {
            domain: figures(len(labels), right=28 + n % 9) for n, domain in enumerate(domains)
        },
        "average_accuracy": 0.75,
        "worst_domain_accuracy": 0.7,
        "average_macro_f1": 0.74,
    }
    history = [
        {
            "step": 10.0 * n,
            "epoch": n / 2,
            "loss": 1 / n,
            "average_accuracy": 0.5 + 0.05 * n,
            **({"dev_loss": 0.9, "dev_average_accuracy": 0.6} if n % 2 == 0 else {}),
        }
        for n in range(1, 5)
    ]
    parts = {"label_loss": 0.5, "corruption_loss_layer_2": 1.1, "mean_weight": 0.3}
    phase = {"epochs": 2, "learning_rate": 5e-5, "batch_size": 16}
    return {
        "config": {
            "name": "by-hand",
            "description": "Made by hand.",
            "seed": 1,
            "precision": "auto",
            "backbone": {"preset": "bert_tiny", "max_length": 64},
            "meta_fine_tune": phase,
            "fine_tune": phase,
        },
        "versions": {"easymft": "0.1.0", "python": "3.11.7"},
        "method": "MFT (Full)",
        "folder": "runs/by-hand/mft/seed-1",
        "stages": {
            "validate": {
                "seconds": 1.0,
                "corpus": "reviews",
                "origin": "reviews.csv",
                "is_sample": False,
                "notes": ["3 repeated texts"],
                "leaks_dropped": 2,
                "counts": [
                    {"domain": domain, "class": label, **COUNTS}
                    for domain in domains
                    for label in labels
                ],
                "labels": list(labels),
                "domains": list(domains),
            },
            "typicality": {"seconds": 2.0, "mean": 0.3, "clipped": 0, "texts": 80},
            "meta_fine_tune": {"seconds": 60.0, "history": [{**h, **parts} for h in history]},
            "fine_tune": {"seconds": 59.0, "history": {domain: history for domain in domains}},
            "evaluate": {"seconds": 3.0},
        },
        "metrics": {kind: {"dev": test, "test": test} for kind in kinds},
        "case_study": [
            {
                "typicality": end,
                "domain": d,
                "label": labels[0],
                "score": t,
                "text": f"a {end} text",
            }
            for d in domains
            for end, t in (("low", -0.25), ("high", 0.5))
        ],
        "diagnostics": diagnostics(domains, labels, kinds),
    }


def diagnostics(domains, labels, kinds):
    """Content of `diagnostics.json`."""
    cells = [{"domain": domain, "class": label} for domain in domains for label in labels]
    quintiles = [
        {"low": n / 10, "high": (n + 1) / 10, "texts": 16, "accuracy": 0.5 + n / 10}
        for n in range(5)
    ]
    return {
        "layers": ["2", "embedding"],
        "probe": {
            "majority": 1 / len(domains),
            "train_texts": 80,
            "test_texts": 40,
            "before": {"2": 0.9, "embedding": 0.95},
            "after": {"2": 0.8, "embedding": 0.6},
        },
        "calibration": {
            kind: {"test": {"average": 0.05, "domains": {domain: 0.04 for domain in domains}}}
            for kind in kinds
        },
        "typicality_and_errors": {kind: {"auc": 0.62, "quintiles": quintiles} for kind in kinds},
        "centroids": {
            "names": cells,
            "cosine": (0.5 + np.eye(len(cells)) / 2).tolist(),
        },
        "map": {"explained_before": [0.2, 0.1], "explained_after": [0.5, 0.1]},
    }


def tables(
    domains=("books", "films"), labels=("bad", "good"), kinds=("meta_learner", "fine_tuned")
):
    """Predictions, typicality and embeddings: four texts per domain and class."""
    cells = [(domain, label) for domain in domains for label in labels for _ in range(4)]
    count = len(cells)
    names = {
        "id": [f"t{n}" for n in range(count)],
        "domain": [domain for domain, _ in cells],
        "label": [label for _, label in cells],
    }
    spread = np.linspace(-0.1, 0.7, count).astype("float32")
    sure = np.full((count, len(labels)), 0.1)
    sure[np.arange(count), np.arange(count) % len(labels)] = 0.9
    typicality = pa.table({**names, "split": ["train"] * count, "score": spread})
    embeddings = pa.table(
        {
            **names,
            "split": ["test"] * count,
            "before_x": spread,
            "before_y": spread[::-1].copy(),
            "after_x": spread**2,
            "after_y": spread,
        }
    )
    predictions = pa.concat_tables(
        pa.table(
            {
                **names,
                "model": [kind] * count,
                "split": ["test"] * count,
                "predicted": [labels[n % len(labels)] for n in range(count)],
                "probabilities": sure.tolist(),
            }
        )
        for kind in kinds
    )
    return {"predictions": predictions, "typicality": typicality, "embeddings": embeddings}
