"""Typicality without the encoder: our layer beside a loop over rows, and a corpus in a stream."""

import resource

import numpy as np

from tests.benchmarks.worker import Times, serve, timed


def prepare(settings):
    """Rounds of both ways to score `texts` embeddings of `hidden` numbers."""
    from easymft.devices.freed_memory import keep_freed_memory
    from easymft.layers import TypicalityWeighting

    num_domains, num_classes = settings["domains"], settings["classes"]
    data = next(chunks(settings["texts"], settings["texts"], num_domains, num_classes))
    layer = TypicalityWeighting(num_domains, num_classes, clip=None)

    def score(embeddings, labels, domains):
        keep_freed_memory()  # as every forward pass of a run does
        layer.adapt(embeddings, labels, domains)
        return np.asarray(layer.raw_scores(embeddings, labels, domains))

    def one_round() -> Times:
        results = {}
        loop = timed("loop over rows", lambda: results.update(a=by_rows(*data)))
        ours = timed("TypicalityWeighting", lambda: results.update(b=score(*data)))
        np.testing.assert_allclose(results["a"], results["b"], atol=1e-5)
        return loop | ours

    return one_round


def by_rows(embeddings, labels, domains):
    """Typicality as EasyTransfer's preprocessing computes it, a text and a domain at a time.

    The embeddings of each class and domain are gathered text by text and averaged; each text is
    then compared to its class's centroid in every domain by a call of scipy's `cosine`.
    """
    from scipy.spatial.distance import cosine

    cells = {}
    for embedding, label, domain in zip(embeddings, labels, domains, strict=True):
        cells.setdefault((domain, label), []).append(embedding)
    centroids = {cell: np.mean(members, axis=0) for cell, members in cells.items()}
    scores = []
    for embedding, label, domain in zip(embeddings, labels, domains, strict=True):
        own, others = 0.0, []
        for (other, other_label), centroid in centroids.items():
            if other_label != label:
                continue
            similarity = 1.0 - cosine(embedding, centroid)
            if other == domain:
                own = similarity
            else:
                others.append(similarity)
        scores.append(0.5 * own + 0.5 * np.mean(others))
    return np.array(scores)


def chunks(texts, size, num_domains, num_classes, hidden=384):
    """Random embeddings, labels and domains of so many texts, the same at every pass."""
    random = np.random.default_rng(0)
    for start in range(0, texts, size):
        count = min(size, texts - start)
        embeddings = random.standard_normal((count, hidden), dtype=np.float32)
        labels = random.integers(0, num_classes, count, dtype=np.int32)
        yield (
            embeddings + np.float32(labels[:, None]),
            labels,
            random.integers(0, num_domains, count),
        )


def stream(settings):
    """Centroids in a first pass over the texts and scores in a second, never all at once."""
    from easymft.layers import TypicalityWeighting

    sizes = [settings[name] for name in ("texts", "chunk", "domains", "classes")]
    before = peak_gb()

    def one_round() -> Times:
        layer = TypicalityWeighting(settings["domains"], settings["classes"])

        def both_passes():
            layer.adapt(chunks(*sizes))
            for part in chunks(*sizes):
                assert np.isfinite(np.asarray(layer.raw_scores(*part))).all()

        def making_alone():
            for _ in range(2):
                for _part in chunks(*sizes):
                    continue

        times = timed("two passes", both_passes) | timed("making the numbers", making_alone)
        memory = {"before": before, "peak": peak_gb()}
        return times | {"memory_GB": memory}

    return one_round


def peak_gb() -> float:
    """Most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # kB on Linux


if __name__ == "__main__":
    serve(lambda settings: (stream if settings.get("chunk") else prepare)(settings))
