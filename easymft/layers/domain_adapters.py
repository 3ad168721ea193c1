"""What a domain has of its own beside a projection that all domains share."""

import math
from typing import Any

import keras
from keras import ops

from easymft.layers.checks import check, check_choice, check_integer
from easymft.layers.codes import codes
from easymft.layers.types import Shape, Tensor

KERNELS = ("none", "low_rank", "full")


@keras.saving.register_keras_serializable(package="easymft")
class DomainAdapters(keras.layers.Layer):
    """Gives what each text's domain adds to a projection that all domains share.

    To `x W + b` domain k adds

        x A_k B_k + c_k     (`kernel="low_rank"`: A_k `(in, rank)`, B_k `(rank, units)`)
        x W_k + c_k         (`kernel="full"`: W_k `(in, units)`)
        c_k                 (`kernel="none"`)

    The tables of all domains are variables of K rows, and each text gathers its own row, so a
    batch may mix domains and learns only the parts of those in it. All but A begin as zeros, and a
    domain that is unknown, below 0 or from K on, has zeros: it adds exactly nothing.

    Args:
        num_domains: Number of domains K >= 1.
        units: Numbers that the projection gives of a vector; of several axes their product.
        kernel: What is added to the kernel; see above.
        rank: Inner size of "low_rank" factors; not read otherwise.
        shift: Whether there is a c_k.
        seed: Integer that fixes the A that training begins with; None draws a seed.
        **kwargs: The arguments of `keras.layers.Layer`, such as `name` and `dtype`.

    Call arguments:
        inputs: What the projection takes, float `(batch, in)` or `(batch, length, in)`; with
            `kernel="none"` any `(batch, ...)`.
        domains: The texts' domains, int `(batch,)` or `(batch, 1)`.

    Returns:
        What to add, `(batch, units)` or `(batch, length, units)` in the compute dtype; with
        `kernel="none"` each axis between has length 1.

    Raises:
        ValueError: A size is no positive integer, `kernel` is unknown, or nothing is added at all.

    Example:
        >>> adapters = DomainAdapters(num_domains=4, units=384, rank=4)
        >>> outputs = projection(inputs) + adapters(inputs, domains)

    Reference:
        Low-rank factors: Hu et al. 2021, LoRA: Low-Rank Adaptation of Large Language Models.
        Shifts alone: Ben Zaken et al. 2022, BitFit. Small parts of each task beside a frozen
        encoder: Houlsby et al. 2019, Parameter-Efficient Transfer Learning for NLP.
    """

    def __init__(
        self,
        num_domains: int,
        units: int,
        kernel: str = "low_rank",
        rank: int = 4,
        shift: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_domains = check_integer("num_domains", num_domains)
        self.units = check_integer("units", units)
        check_choice("kernel", kernel, KERNELS)
        check(shift or kernel != "none", "shift", 'True where `kernel` is "none"', shift)
        self.kernel, self.rank, self.shift = kernel, check_integer("rank", rank), shift
        self.seed = seed

    def build(self, inputs_shape: tuple[Any, ...], domains_shape: Shape | None = None) -> None:
        width = inputs_shape[-1]
        if self.kernel == "low_rank":
            limit = math.sqrt(6 / width)  # as Keras begins LoRA's A: he_uniform of (in, rank)
            uniform = keras.initializers.RandomUniform(-limit, limit, seed=self.seed)
            self.factor_a = self._table("factor_a", (width, self.rank), uniform)
            self.factor_b = self._table("factor_b", (self.rank, self.units))
        elif self.kernel == "full":
            self.kernels = self._table("kernels", (width, self.units))
        if self.shift:
            self.shifts = self._table("shifts", (self.units,))

    def _table(self, name: str, shape: Shape, initializer: Any = "zeros") -> keras.Variable:
        # Cast once gathered: a thousand domains' rows would be cast for the few that a batch reads.
        return self.add_weight(
            shape=(self.num_domains, *shape), initializer=initializer, name=name, autocast=False
        )

    def call(self, inputs: Tensor, domains: Tensor) -> Tensor:
        domains, inside = codes(domains, self.num_domains, "domains")
        rows = ops.where(inside, domains, 0)
        axes = len(inputs.shape)

        def own(table: keras.Variable) -> Tensor:
            """Return each text's row, zeros for an unknown domain: `(batch, ...)`."""
            gathered = ops.take(table, rows, axis=0)
            known = ops.reshape(inside, (-1, *[1] * (len(table.shape) - 1)))
            return ops.cast(ops.where(known, gathered, 0.0), self.compute_dtype)

        shift = own(self.shifts) if self.shift else None
        if self.kernel == "none":
            return ops.reshape(shift, (-1, *[1] * (axes - 2), self.units))
        vectors = ops.cast(inputs if axes == 3 else inputs[:, None], self.compute_dtype)
        if self.kernel == "low_rank":
            added = ops.matmul(ops.matmul(vectors, own(self.factor_a)), own(self.factor_b))
        else:
            added = ops.matmul(vectors, own(self.kernels))
        if shift is not None:
            added = added + shift[:, None]
        return added if axes == 3 else added[:, 0]

    def compute_output_shape(self, inputs_shape: Shape, domains_shape: Shape) -> Shape:
        between = inputs_shape[1:-1]
        if self.kernel == "none":
            between = (1,) * len(between)
        return (inputs_shape[0], *between, self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_domains": self.num_domains,
            "units": self.units,
            "kernel": self.kernel,
            "rank": self.rank,
            "shift": self.shift,
            "seed": self.seed,
        }
