"""How a classifier is compiled, and how a training begins: in recipes and in Keras' `fit` alike."""

import hashlib
from collections.abc import Sequence
from typing import Any

import keras

from easymft.devices.machine import jit_compile
from easymft.models.cpu_kernels import use_cpu_kernels
from easymft.models.optimizer import WarmupLinearDecay, adamw

LEARNING_RATE = 5e-5  # the peak where nobody names another


def compile_to_learn(
    model: keras.Model,
    optimizer: Any = None,
    metrics: Sequence[Any] | None = None,
    soft: bool = False,
) -> None:
    """Compile a classifier as this device trains it fast, by its logits' cross-entropy.

    Args:
        model: A `TextClassifier`.
        optimizer: By default AdamW with warm-up and decay over the steps of each `fit`.
        metrics: Of Keras' `compile`.
        soft: Whether labels are a probability for each class, `(batch, classes)`, and not codes.
    """
    kind = "CategoricalCrossentropy" if soft else "SparseCategoricalCrossentropy"
    use_cpu_kernels(model)
    model.compile(
        adamw(WarmupLinearDecay(LEARNING_RATE)) if optimizer is None else optimizer,
        getattr(keras.losses, kind)(from_logits=True),
        metrics=metrics,
        jit_compile=jit_compile(),
    )


def schedule_of(optimizer: Any) -> WarmupLinearDecay | None:
    """Return the schedule that an optimizer's learning rate follows, if both are ours."""
    return getattr(_innermost(optimizer), "schedule", None)


def begin(model: keras.Model, total_steps: int, seed: int | None) -> None:
    """Forget the optimizer's moments and steps, and start its schedule and the random state anew.

    Args:
        model: A `TextClassifier`, compiled with a `WarmupLinearDecay`.
        total_steps: Steps of the training.
        seed: Of dropout and of corrupted labels; `None` lets them go on as they are.
    """
    optimizer = _innermost(model.optimizer)
    if not optimizer.built:
        model.optimizer.build(model.trainable_variables)
    for variable in optimizer.variables:
        variable.assign(keras.ops.zeros(variable.shape, dtype=variable.dtype))
    schedule = schedule_of(optimizer)
    if schedule is None:
        raise ValueError("`model` must be compiled with a `WarmupLinearDecay`. Received: another")
    schedule.total_steps = total_steps
    if seed is not None:
        model.set_random_states([(seed, index) for index in range(len(model.random_states))])


def go_on_from(model: keras.Model, optimizer: Any) -> None:
    """Give a model that was compiled anew the steps and moments of its earlier optimizer.

    Args:
        model: A `TextClassifier`, compiled with `adamw`, whose training began anew by `begin`.
        optimizer: The earlier one, of `adamw` too.
    """
    _innermost(model.optimizer).take_over(_innermost(optimizer))


def stable_seed(seed: int, name: str) -> int:
    """Return the seed of one training among those that share a seed, by the training's name."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1


def _innermost(optimizer: Any) -> Any:
    """Return the optimizer that another scales the loss for, as Keras does in float16."""
    return getattr(optimizer, "inner_optimizer", optimizer)
