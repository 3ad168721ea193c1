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
    """Parts that a step's texts are computed in, one after the other, where memory is short; their
    gradients add up to those of the whole batch."""
    validation_freq: Annotated[int, Field(ge=0)] = 1
    """Epochs between two looks at the development texts; 0: no look."""
    select_best_on_dev: bool = False
    """Keep the weights of the epoch that got most development texts right, of those looked at (an
    extension); a domain keeps the meta-learner unless fine-tuning does better. false: the last."""
    class_balance: Literal["none", "loss", "batch"] = "none"
    """Where classes are rare (an extension). loss: weight texts by how rare their class is. batch:
    see as many texts of every class, those of rare ones more often."""
    domain_balance: Literal["none", "batch"] = "none"
    """batch: see as many texts of every domain, those of small ones more often (an extension)."""

    def steps(self, texts: int) -> int:
        """Training steps of the whole phase on `texts` texts."""
        return self.epochs * -(-texts // self.batch_size)


class FineTune(Phase):
    """The training phase of each domain's own model."""

    lora_rank: Count | None = None
    """Train low-rank factors of this size beside the attention's query and value kernels, their
    biases and the class head, and nothing else (LoRA); null trains all weights."""


class Optimizer(Section):
    """AdamW with warm-up and linear decay to zero."""

    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Decoupled weight decay; biases and layer normalizations are left out."""
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the steps over which the learning rate rises."""
    clip_norm: Positive | None = 1.0
    """Largest global norm of a step's gradients."""
