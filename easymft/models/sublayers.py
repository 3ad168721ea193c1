"""Layers and random generators inside a model, however deep.

Keras has no public name for either; tests/test_private_names.py tells when one is gone.
"""

import keras


def all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the model and every layer inside it, each once."""
    return model._flatten_layers()


def random_states(model: keras.Model) -> list[keras.Variable]:
    """Return the states of the generators inside, `(2,)` each, in the order of the variables.

    Raises:
        RuntimeError: A dropout layer's generator is not where other releases of Keras have it, so
            that what is drawn could not be repeated.
    """
    layers = all_layers(model)
    generators = [
        value
        for layer in layers
        for value in vars(layer).values()
        if isinstance(value, keras.random.SeedGenerator)
    ]
    states = {id(generator.state) for generator in generators}
    found = [v for v in model.non_trainable_variables if id(v) in states]
    dropouts = [x for x in layers if isinstance(x, keras.layers.Dropout) and x.rate > 0]
    if len(found) != len(states) or len(dropouts) > len(states):
        raise RuntimeError(
            f"Keras {keras.__version__} does not keep random generators where earlier releases do, "
            "so a seed would not fix what is drawn. Install the Keras that easymft was tested with "
            "(constraints/tested.txt)."
        )
    return found
