"""A step of `MFT (Full)` beside a plain fine-tuning step, both ours, on the same batches."""

import itertools

import numpy as np

from tests.benchmarks.train_easymft import tokens_of
from tests.benchmarks.worker import Times, serve, timed


def prepare(settings):
    from easymft.devices import start_up

    start_up.start()
    import keras

    from easymft.data.batches.batches import Batches
    from easymft.devices.freed_memory import KeepFreedMemory
    from easymft.devices.machine import jit_compile, precision_policy
    from easymft.models import MFTTextClassifier, TextClassifier, adamw, load_backbone

    texts, tokens = settings["texts"], tokens_of(settings)
    classes, domains = texts["num_classes"], texts["num_domains"]
    rows, policy = np.arange(len(tokens)), precision_policy(settings["precision"])
    plain = Batches(tokens, rows, settings["batch"], seed=1)
    weighted = plain.weighted(np.linspace(0.5, 1.0, len(tokens)))

    def backbone():
        return load_backbone(settings["preset"], dtype=policy)

    models = {
        "plain step": (TextClassifier(backbone(), classes, domains), plain),
        "MFT (Full) step": (MFTTextClassifier(backbone(), classes, domains, seed=1), weighted),
    }
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for model, _ in models.values():
        model.compile(adamw(1e-5), loss, jit_compile=jit_compile())
    numbers = itertools.count()

    def one_round() -> Times:
        number, times = next(numbers), {}
        # Each goes first every other time.
        for name in sorted(models, reverse=bool(number % 2)):
            model, batches = models[name]
            steps = batches.steps_per_epoch
            feed = batches.span(number * steps, (number + 1) * steps).to_keras()
            settings_of_fit = {"steps_per_epoch": steps, "shuffle": False, "verbose": 0}
            callbacks = [KeepFreedMemory()]
            fit = lambda: model.fit(feed, callbacks=callbacks, **settings_of_fit)  # noqa: B023, E731
            times |= timed(name, fit)
        return times

    return one_round


if __name__ == "__main__":
    serve(prepare)
