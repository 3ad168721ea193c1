"""Where in an encoder domains may have something of their own, and how it is added there."""

import contextlib
import contextvars
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from easymft.layers.types import Tensor
from easymft.models.sublayers import all_layers

# Names that keras-hub's encoders give the projections of a transformer layer, by recipes' words.
KERNELS = {
    "query": ("query",),
    "value": ("value",),
    "feed_forward": ("feedforward_intermediate_dense", "feedforward_output_dense"),
}
# A shift of all keys alike leaves the attention as it is.
_SHIFT_IN_VAIN = ("key",)

# Which adapters add to which layer, by its id, the domains of the texts under way, and the layers
# that have added.
_Added = tuple[Mapping[int, keras.layers.Layer], Tensor, set[int]]
_added: contextvars.ContextVar[_Added | None] = contextvars.ContextVar("added", default=None)


def projections(backbone: keras.Model, kernels: Sequence[str]) -> dict[str, keras.layers.Layer]:
    """Return the encoder layers' projections that `kernels` name, such as `"query"`, by name.

    Raises:
        RuntimeError: A projection has another name in this keras-hub.
    """
    sites = _sites(backbone)
    wanted = {name for kernel in kernels for name in KERNELS[kernel]}
    if missing := wanted.difference(site.name for site in sites.values()):
        raise RuntimeError(
            f"{type(backbone).__name__} has no layers {', '.join(sorted(missing))}. Install the "
            "keras-hub that easymft was tested with (constraints/tested.txt)."
        )
    return {name: site for name, site in sites.items() if site.name in wanted}


def shifted(backbone: keras.Model) -> dict[str, keras.layers.Layer]:
    """Return all inside the encoder layers that has a bias, or a normalization's shift, by name."""
    return {
        name: site
        for name, site in _sites(backbone).items()
        if site.name not in _SHIFT_IN_VAIN and shift_of(site) is not None
    }


def shift_of(site: keras.layers.Layer) -> Any:
    """Return a layer's bias, or the shift of a normalization; `None` where it has neither."""
    shift = getattr(site, "bias", None)
    return getattr(site, "beta", None) if shift is None else shift


def shapes(site: keras.layers.Layer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the axes of a layer's vectors, before and after it, such as `(384,)`, `(12, 32)`."""
    shift = shift_of(site)
    after = () if shift is None else tuple(shift.shape)
    kernel = getattr(site, "kernel", None)
    if kernel is None:
        return after, after
    shape = tuple(kernel.shape)
    return shape[: len(shape) - len(after)], after


def open_to_adapters(sites: Sequence[keras.layers.Layer]) -> None:
    """Let layers add what `adding` brings, in place; without it they answer as before."""
    for site in sites:
        # On the object, not as a class of its own: a saved configuration names the class.
        setattr(site, _method_of(site), _Open(site))


def is_open(layer: keras.layers.Layer) -> bool:
    """Return whether a layer was opened to adapters."""
    return hasattr(vars(layer).get("call"), "own")


def _method_of(site: keras.layers.Layer) -> str:
    """Return the name of the method by which Keras asks a layer."""
    return "call" if getattr(site, "quantization_mode", None) is None else "quantized_call"


@contextlib.contextmanager
def adding(
    adapters: Sequence[tuple[keras.layers.Layer, keras.layers.Layer]], domains: Tensor
) -> Iterator[None]:
    """Let each site add what its adapters give, while the block runs in this thread.

    Args:
        adapters: Pairs of a site, open to adapters, and its `DomainAdapters`.
        domains: `(batch,)` int, of the texts that the block sends through the encoder.

    Raises:
        RuntimeError: A site was not asked, so that its adapters would be left out without a word.
    """
    reached: set[int] = set()
    token = _added.set(({id(site): layer for site, layer in adapters}, domains, reached))
    try:
        yield
    finally:
        _added.reset(token)
    if missed := [site.name for site, _ in adapters if id(site) not in reached]:
        raise RuntimeError(
            f"Keras {keras.__version__} does not ask {', '.join(missed)} by their `call`, so what "
            "domains have of their own would not be added. Install the Keras that easymft was "
            "tested with (constraints/tested.txt)."
        )


class _Open:
    """The `call` of a site: its own, and what adapters add."""

    def __init__(self, site: keras.layers.Layer):
        self.site = site

    def own(self, inputs: Tensor, *args: Any, activates: bool = True, **kwargs: Any) -> Tensor:
        """Compute what the site does by itself; `use_cpu_kernels` sets another in its place."""
        site, method = self.site, _method_of(self.site)
        if activates:
            return getattr(type(site), method)(site, inputs, *args, **kwargs)
        if method == "call":
            return ops.add(ops.matmul(inputs, site.kernel), site.bias)
        # What a quantized kernel's numbers mean, Keras alone knows.
        activation, site.activation = site.activation, None
        try:
            return getattr(type(site), method)(site, inputs, *args, **kwargs)
        finally:
            site.activation = activation

    def __call__(self, inputs: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        adapters, domains, reached = _added.get() or ({}, None, set())
        adapter = adapters.get(id(self.site))
        if adapter is None:
            return self.own(inputs, *args, **kwargs)
        reached.add(id(self.site))
        activation = getattr(self.site, "activation", None)
        if activation in (None, keras.activations.linear):
            outputs = self.own(inputs, *args, **kwargs)
            return outputs + _as(adapter(inputs, domains), outputs)
        # What is added comes before the activation.
        outputs = self.own(inputs, *args, activates=False, **kwargs)
        return activation(outputs + _as(adapter(inputs, domains), outputs))


def _as(added: Tensor, outputs: Tensor) -> Tensor:
    """Give `(batch, length, units)` the axes of a site's outputs, heads for example."""
    length = 1 if added.shape[1] == 1 else ops.shape(outputs)[1]
    return ops.reshape(added, (-1, length, *outputs.shape[2:]))


def _sites(backbone: keras.Model) -> dict[str, keras.layers.Layer]:
    found = {}
    for number, block in enumerate(keras.tree.flatten(backbone.transformer_layers)):
        for layer in all_layers(block):
            kinds = (keras.layers.Dense, keras.layers.EinsumDense, keras.layers.LayerNormalization)
            if isinstance(layer, kinds):
                found[f"layer_{number}_{layer.name}"] = layer
    return found
