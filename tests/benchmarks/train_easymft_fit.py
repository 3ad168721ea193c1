"""Trains MFT (Full) by Keras' `fit` on raw texts, as the README's example does."""

from unittest import mock

from tests.benchmarks.worker import Times, serve, timed


def prepare(settings):
    from easymft.devices.machine import precision_policy
    from easymft.models import MFTTextClassifier

    texts = settings["texts"]
    roles = ("text", "text_pair", "domain")
    x = {role: texts[role] for role in roles if texts[role] is not None}
    model = MFTTextClassifier.from_preset(
        settings["preset"],
        texts["num_classes"],
        num_domains=texts["num_domains"],
        max_length=settings["length"],
        dtype=precision_policy(settings["precision"]),
        seed=1,
    )
    model.adapt(x, texts["label"])

    def one_round() -> Times:
        # As in train_easymft.py: a round is shorter than a window of a large corpus.
        with mock.patch("easymft.data.batches.batches.LEAST_WINDOWS", 1):
            options = {"batch_size": settings["batch"], "verbose": 0}
            return timed(settings["name"], lambda: model.fit(x, texts["label"], **options))

    return one_round


if __name__ == "__main__":
    serve(prepare)
