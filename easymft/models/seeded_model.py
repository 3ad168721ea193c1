"""What lets a training be repeated, and spread over replicas: draws that are set and saved."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from easymft.devices import replicas
from easymft.layers.types import Tensor, Tensors
from easymft.models.sublayers import random_states


class SeededModel(keras.Model):
    """A Keras model whose random states can be set, are saved with it, and differ by replica."""

    _draws_apart = False

    def make_train_function(self, force: bool = False) -> None:
        """Do as Keras does; also make every replica of tf.distribute draw by itself."""
        # Not in `compile`: Keras compiles no loaded model whose class overrides that.
        if not self._draws_apart:
            self.set_random_states([ops.convert_to_numpy(state) for state in self.random_states])
        super().make_train_function(force)

    def in_whole_batch(self, loss: Tensor, x: Tensors, texts: Tensor) -> Tensor:
        """Return a training loss with its gradient in the mean over the whole batch.

        Args:
            loss: The mean over the texts at hand, a scalar.
            x: The inputs; with `share` where they are a part of a batch, see `Batches`.
            texts: How many texts are at hand.
        """
        if replicas.share_a_batch() and self.random_states and not self._draws_apart:
            raise RuntimeError(
                f"Keras {keras.__version__} trains without `make_train_function`, so all replicas "
                "would draw alike; set each one's own state by `set_random_states` before"
            )
        loss = replicas.of_whole_batch(loss, texts)
        if "share" not in x:
            return loss
        # A part of a batch counts as it does in the whole.
        share = ops.sum(x["share"]) / ops.cast(ops.maximum(texts, 1), "float32")
        return replicas.scale_gradient(loss, share)

    def save_own_variables(self, store: Any) -> None:
        """Save the states of random generators too, with which a loaded model goes on."""
        super().save_own_variables(store)
        if states := self.random_states:
            store["random_states"] = np.stack([ops.convert_to_numpy(s) for s in states])

    def load_own_variables(self, store: Any) -> None:
        own = {name: store[name] for name in store.keys()}  # noqa: SIM118 (not a dict)
        saved, states = own.pop("random_states", ()), self.random_states
        super().load_own_variables(own)
        if len(saved) == len(states):  # not so where the dropout was another
            self.set_random_states(saved)

    @property
    def random_states(self) -> list[keras.Variable]:
        """States of the generators behind dropout and corrupted labels, `(2,)` int each."""
        return random_states(self)

    def set_random_states(self, states: Sequence[Any]) -> None:
        """Set `random_states`, `(generators, 2)`; replicas of tf.distribute get each its own."""
        replicas.assign_seeds(self, self.random_states, states)
        self._draws_apart = True
