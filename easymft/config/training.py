"""The sections about training."""

from typing import Annotated, Literal

from pydantic import Field

from easymft.config.section import Count, Positive, Section


class Phase(Section):
    """One training phase."""

    epochs: Annotated[int, Field(ge=0)] = 2
    """Passes over the phase's training texts."""
    learning_rate: Positive = 1e-5
    """Peak of the learning rate."""
    batch_size: Count = 32
    """Texts per step."""
    gradient_accumulation_steps: Count = 1
    """Parts that a step's texts are computed in, one after the other; their gradients add up to
    those of the whole batch. Where memory runs out a run takes twice as many by itself."""
    validation_freq: Annotated[int, Field(ge=0)] = 1
    """Epochs between two looks at the development texts; 0: no look."""
    select_best_on_dev: bool = False
    """Keep the weights of the epoch that got most development texts right, of those looked at (an
    extension); a domain keeps the meta-learner unless fine-tuning does better. false: the last."""
    class_balance: Literal["none", "loss", "batch"] = "none"
    """Where classes are rare (an extension). loss: weight texts by how rare their class is. batch:
    see as many texts of every class, those of rare ones more often; for tfidf and embed as loss."""
    domain_balance: Literal["none", "batch"] = "none"
    """batch: see as many texts of every domain, those of small ones more often (an extension)."""

    def steps(self, texts: int) -> int:
        """Training steps of the whole phase on `texts` texts."""
        return self.epochs * -(-texts // self.batch_size)


class Adapters(Section):
    """Small parts of every domain beside the frozen meta-learner, trained in one pass.

    What is not said here, such as the batch size, is as in `fine_tune`.
    """

    epochs: Annotated[int, Field(ge=0)] | None = None
    """Passes over the texts of all domains; null: `fine_tune.epochs`."""
    learning_rate: Positive = 1e-4
    """Peak of the learning rate."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Decoupled decay of the parts, towards the meta-learner; at 1 / learning_rate nothing is
    left of them in a step."""
    rank: Count = 4
    """Inner size of the factors of `parts` lora."""
    kernels: Annotated[
        list[Literal["query", "value", "feed_forward"]], Field(min_length=1, max_length=3)
    ] = ["query", "value"]
    """Projections of every encoder layer that have factors with `parts` lora."""


class FineTune(Phase):
    """The training phase of what each domain has of its own."""

    parts: Literal["all", "lora", "bias", "head"] = "all"
    """What a domain has of its own. all: a copy of every weight. Otherwise small parts beside the
    meta-learner, trained as `adapters` says: a class head, and with lora low-rank factors beside
    kernels, with bias shifts of biases and normalizations. Where there is no meta-learner (method
    single) always all."""
    adapters: Adapters = Adapters()
    """How small parts are trained."""

    def in_force(self) -> "FineTune":
        """Return the phase with what `adapters` says in the place of its own, for small parts."""
        if self.parts == "all":
            return self
        own = self.adapters.model_dump(include={"epochs", "learning_rate"}, exclude_none=True)
        return self.model_copy(update=own)


class Optimizer(Section):
    """AdamW with warm-up and linear decay to zero."""

    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Decoupled weight decay; biases and layer normalizations are left out."""
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the steps over which the learning rate rises."""
    clip_norm: Positive | None = 1.0
    """Largest global norm of a step's gradients."""
