"""AdamW as BERT is fine-tuned with it."""

import functools
from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from easymft.devices import replicas

# Biases, and scale and shift of layer normalizations: names that Keras gives these variables.
NO_DECAY = ("bias", "gamma", "beta")


@keras.saving.register_keras_serializable(package="easymft")
class WarmupLinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate that rises linearly to its peak, then falls linearly to zero.

    Args:
        peak: The highest learning rate.
        total_steps: Steps of the whole phase. Can be set anew: it is a variable, so that a
            compiled training step serves phases of different length. `None`: those of each `fit`
            of texts, which a `TextClassifier` then begins with a fresh optimizer.
        warmup: Share of the steps over which the rate rises.
        parts: Batches that make up a step, where the optimizer accumulates gradients: Keras
            counts batches then.
    """

    def __init__(
        self, peak: float, total_steps: int | None = None, warmup: float = 0.1, parts: int = 1
    ):
        super().__init__()
        if not 0 <= warmup < 1:
            raise ValueError(f"`warmup` must lie in [0, 1). Received: {warmup!r}")
        self.peak = peak
        self.warmup = warmup
        self.parts = parts
        self.follows_fit = total_steps is None
        self.total = keras.Variable(max(total_steps or 1, 1), dtype="float32", trainable=False)

    @property
    def total_steps(self) -> int:
        """Return the number of steps until the rate is zero."""
        return int(ops.convert_to_numpy(self.total))

    @total_steps.setter
    def total_steps(self, value: int) -> None:
        self.total.assign(max(value, 1))

    def __call__(self, step: Any) -> Any:
        # Step 0 already learns: the rate of a step is that at its end while rising.
        done = ops.floor(ops.cast(step, "float32") / self.parts)
        total = ops.convert_to_tensor(self.total)
        rising = ops.floor(self.warmup * total)
        up = (done + 1.0) / ops.maximum(rising, 1.0)
        down = (total - done) / ops.maximum(total - rising, 1.0)
        return self.peak * ops.clip(ops.where(done < rising, up, down), 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {
            "peak": self.peak,
            "total_steps": None if self.follows_fit else self.total_steps,
            "warmup": self.warmup,
            "parts": self.parts,
        }


@keras.saving.register_keras_serializable(package="easymft")
class BertAdamW(keras.optimizers.AdamW):
    """Keras' AdamW without decay on biases and layer normalizations; arguments are the same.

    A class, because Keras' own forgets the exclusion when a compiled model is saved and loaded.
    The length of a `WarmupLinearDecay` is among its variables, so that one compiled step serves
    all lengths on every backend, and a saved state holds it.

    Raises:
        RuntimeError: This Keras names the variables of `NO_DECAY` otherwise, or adds up replicas'
            gradients in another way.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        _check_names()
        self._was_asked_to_sum = False

    def build(self, variables: list[keras.Variable]) -> None:
        # Not by `var_names`: on TensorFlow those are matched against names like `dense/bias:0`.
        self.exclude_from_weight_decay([v for v in variables if v.name in NO_DECAY])
        super().build(variables)
        if self.schedule is not None:
            self._track_variable(self.schedule.total)

    @property
    def schedule(self) -> WarmupLinearDecay | None:
        """Return what the learning rate follows; `None` where that is not one of ours."""
        rate = self._learning_rate
        return rate if isinstance(rate, WarmupLinearDecay) else None

    def take_over(self, other: "BertAdamW") -> None:
        """Go on from another optimizer's steps and moments; both are built for the same variables.

        How many parts make up a step may differ: `other` stands between two steps.
        """
        step = int(ops.convert_to_numpy(other.iterations))
        self._iterations.assign(step * (self.gradient_accumulation_steps or 1))
        own, others = (
            (*optimizer._momentums, *optimizer._velocities) for optimizer in (self, other)
        )
        for variable, value in zip(own, others, strict=True):
            variable.assign(value)

    def apply(self, grads: list[Any], trainable_variables: list[Any] | None = None) -> None:
        """Do as Keras does, with gradients that are whole before they are clipped and squared.

        TensorFlow gives an embedding's gradient as one row for each token of the batch. Keras
        squares these rows before it adds up those of one token, and a token that comes often would
        learn too slowly. It also clips each replica's part of a gradient by itself.
        """
        if replicas.share_a_batch() or self.gradient_accumulation_steps or self.loss_scale_factor:
            grads = replicas.summed([_dense(g) for g in grads])
        else:
            grads = [_one_row_a_token(g) for g in grads]
        super().apply(grads, trainable_variables)
        if replicas.share_a_batch() and not self._was_asked_to_sum:
            raise RuntimeError(
                f"Keras {keras.__version__} does not add up the replicas' gradients by "
                "`_all_reduce_sum_gradients`, so they would be added up twice. Install the Keras "
                "that easymft was tested with (constraints/tested.txt), or train on one device."
            )

    def _clip_gradients(self, grads: list[Any]) -> list[Any]:
        """Do as Keras does, with half the passes over memory, and none over rows without tokens."""
        if not self.global_clipnorm or not _is_plain_tensorflow():
            return super()._clip_gradients([_dense(g) for g in grads])
        import tensorflow as tf

        halves = [tf.nn.l2_loss(_values(g)) for g in grads]
        norm = tf.sqrt(2.0 * tf.add_n([tf.cast(half, tf.float32) for half in halves]))
        scale = self.global_clipnorm / tf.maximum(norm, self.global_clipnorm)
        scale += norm - norm  # as Keras does: what is not finite shows at once
        return [_scaled(g, tf.cast(scale, g.dtype)) for g in grads]

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        """Do as Keras does, in one pass over memory."""
        if self.weight_decay is None or replicas.in_strategy() or not _has_handles(variables):
            super()._apply_weight_decay(variables)
            return
        kept = 1.0 - self.weight_decay * ops.cast(self.learning_rate, "float32")
        for variable in variables:
            if self._use_weight_decay(variable):
                variable.assign(variable * ops.cast(kept, variable.dtype))

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Do as Keras does, by TensorFlow's kernel where it can: one pass over memory, not many."""
        gradient = _dense(gradient)
        if self.amsgrad or not _has_handles([variable]) or replicas.in_strategy():
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, variable.dtype)
        rates = {"beta1": self.beta_1, "beta2": self.beta_2}
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            lr=tf.cast(learning_rate, variable.dtype),
            epsilon=self.epsilon,
            grad=tf.cast(gradient, variable.dtype),
            **rates,
            **{f"{name}_power": rate**step for name, rate in rates.items()},
        )

    def _all_reduce_sum_gradients(self, grads_and_vars: list[Any]) -> list[Any]:
        self._was_asked_to_sum = True
        return grads_and_vars  # `apply` has done it


@functools.cache
def _check_names() -> None:
    """Make sure that Keras calls biases and normalizations' variables as `NO_DECAY` has it."""
    dense, norm = keras.layers.Dense(1), keras.layers.LayerNormalization()
    dense.build((None, 1))
    norm.build((None, 1))
    found = {variable.name for variable in (*dense.weights, *norm.weights)} - {"kernel"}
    if found != set(NO_DECAY):
        raise RuntimeError(
            f"Keras {keras.__version__} calls biases and normalizations' variables "
            f"{', '.join(sorted(found))}, not {', '.join(sorted(NO_DECAY))}, so weight decay would "
            "take them too. Install the Keras that easymft was tested with (constraints/tested.txt)"
        )


def _has_handles(variables: Iterable[Any]) -> bool:
    """Return whether TensorFlow's kernels can update variables in place."""
    return all(hasattr(variable, "handle") for variable in variables)


def _is_plain_tensorflow() -> bool:
    """Return whether gradients are TensorFlow's, and no strategy's."""
    return keras.backend.backend() == "tensorflow" and not replicas.in_strategy()


def _is_sparse(gradient: Any) -> bool:
    return hasattr(gradient, "dense_shape")  # nothing else than `tf.IndexedSlices` has one


def _values(gradient: Any) -> Any:
    return gradient.values if _is_sparse(gradient) else gradient


def _scaled(gradient: Any, factor: Any) -> Any:
    if not _is_sparse(gradient):
        return gradient * factor
    import tensorflow as tf

    return tf.IndexedSlices(gradient.values * factor, gradient.indices, gradient.dense_shape)


def _one_row_a_token(gradient: Any) -> Any:
    """Return the rows of an embedding's gradient, those of one token added up."""
    if not _is_sparse(gradient):
        return gradient
    import tensorflow as tf

    tokens, places = tf.unique(tf.reshape(gradient.indices, [-1]))
    rows = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(tokens))
    return tf.IndexedSlices(rows, tokens, gradient.dense_shape)


def _dense(gradient: Any) -> Any:
    if not _is_sparse(gradient):
        return gradient
    import tensorflow as tf

    return tf.convert_to_tensor(gradient)


def adamw(
    learning_rate: float | WarmupLinearDecay,
    weight_decay: float = 0.01,
    clip_norm: float | None = 1.0,
    parts: int = 1,
) -> BertAdamW:
    """Make Keras' AdamW as BERT is fine-tuned: global-norm clipping, no decay on biases and norms.

    Args:
        learning_rate: A number or schedule, usually `WarmupLinearDecay`.
        weight_decay: Decoupled decay of matrices and embeddings; biases and layer normalizations
            are left out.
        clip_norm: Largest global norm of the gradients; `None` clips nothing.
        parts: Batches whose gradients are averaged before a step is made with them.
    """
    return BertAdamW(
        learning_rate,
        weight_decay=weight_decay,
        epsilon=1e-6,
        global_clipnorm=clip_norm,
        gradient_accumulation_steps=parts if parts > 1 else None,
    )
