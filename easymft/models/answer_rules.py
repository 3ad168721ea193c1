"""What turns a model's probabilities into answers that one can act on."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from keras import ops

from easymft.layers.types import Tensor
from easymft.models.abstention import lowest_threshold
from easymft.models.temperature import fit_temperatures

ALWAYS, NEVER = 0.0, np.inf  # thresholds


@dataclasses.dataclass(frozen=True)
class AnswerRules:
    """Temperatures and thresholds of every domain, and of texts of no known domain.

    Attributes:
        domains: Names of the domains, in the order of their codes.
        temperatures: `(domains + 1,)` float32, what logits are divided by; the last is for texts of
            no known domain.
        thresholds: `(domains + 1,)` float32, the lowest score (the probability of the likeliest
            class, after the temperature) that is answered; `inf`: none is.
    """

    domains: tuple[str, ...]
    temperatures: np.ndarray
    thresholds: np.ndarray

    @classmethod
    def none(cls, domains: Sequence[str]) -> Self:
        """Return rules that leave probabilities as they are and answer every text."""
        ones = np.ones(len(domains) + 1, np.float32)
        return cls(tuple(domains), ones, ones * np.float32(ALWAYS))

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Return the rules that `find_rules` gave."""
        rows = [*facts["domains"].values(), facts["unknown"]]
        thresholds = [NEVER if row["threshold"] is None else row["threshold"] for row in rows]
        return cls(
            tuple(facts["domains"]),
            np.array([row["temperature"] for row in rows], np.float32),
            np.array(thresholds, np.float32),
        )

    def of_domains(self, domains: Sequence[str], unknown: "AnswerRules | None" = None) -> Self:
        """Return the rules of these domains, in this order; new ones are as unknown ones are.

        Args:
            domains: Names.
            unknown: Whose rule for texts of no known domain to take; `None`: one's own.
        """
        other, code = unknown or self, {name: k for k, name in enumerate(self.domains)}

        def rows(own: np.ndarray, others: np.ndarray) -> np.ndarray:
            known = [own[code[name]] if name in code else others[-1] for name in domains]
            return np.array([*known, others[-1]], np.float32)

        return dataclasses.replace(
            self,
            domains=tuple(domains),
            temperatures=rows(self.temperatures, other.temperatures),
            thresholds=rows(self.thresholds, other.thresholds),
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the rules that `to_dict` gave."""
        thresholds = [NEVER if t is None else t for t in values["thresholds"]]
        temperatures = np.array(values["temperatures"], np.float32)
        return cls(tuple(values["domains"]), temperatures, np.array(thresholds, np.float32))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that tell these rules from others, `None` where none is answered."""
        thresholds = [None if np.isinf(t) else float(t) for t in self.thresholds]
        return {
            "domains": list(self.domains),
            "temperatures": self.temperatures.tolist(),
            "thresholds": thresholds,
        }

    def codes(self, names: Sequence[str | None]) -> np.ndarray:
        """Return codes of texts' domains, `(texts,)` int; the number of all for unknown ones."""
        known = {name: code for code, name in enumerate(self.domains)}
        return np.array([known.get(name or "", len(known)) for name in names], int)

    def calibrated(self, probabilities: Tensor, domains: Tensor) -> Tensor:
        """Return what the probabilities are with their logits divided by the temperatures.

        p_m^(1/T) / sum over n of p_n^(1/T), since logits are log-probabilities up to a constant.

        Args:
            probabilities: `(texts, classes)` float32.
            domains: `(texts,)` int, codes; the number of domains for no known one.

        Reference: Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML
        2017, section 4.2.
        """
        if (self.temperatures == 1).all():
            return probabilities
        temperatures = ops.take(ops.convert_to_tensor(self.temperatures), domains)
        return ops.softmax(ops.log(probabilities) / temperatures[:, None], axis=-1)

    def abstains(self, scores: Tensor, domains: Tensor) -> Tensor:
        """Return whether a text is better left to people, `(texts,)` bool; arguments `(texts,)`."""
        return scores < ops.take(ops.convert_to_tensor(self.thresholds), domains)


def find_rules(
    probabilities: np.ndarray,
    labels: np.ndarray,
    codes: np.ndarray,
    domains: Sequence[str],
    *,
    calibrate: bool = True,
    target_accuracy: float | None = None,
    confidence: float = 0.9,
) -> dict[str, Any]:
    """Find a model's rules on texts that training did not see.

    Args:
        probabilities: `(texts, classes)` float32, as the model gives them.
        labels: `(texts,)` int.
        codes: `(texts,)` int, of the texts' domains; the number of domains for no known one.
        domains: Names of the domains.
        calibrate: Whether to find temperatures; see `easymft.models.temperature`.
        target_accuracy: How many answers are to be right; see `easymft.models.abstention`. `None`:
            every text is answered.
        confidence: How sure that is to be kept.

    Returns:
        What `AnswerRules.of_facts` takes: `domains`, by name, and `unknown`, all texts together,
        each a dict of `temperature`, `threshold` (`None`: no text is answered), `texts`, `answered`
        and `right` of them, and `needed` (see `easymft.models.abstention.Threshold`).
    """
    shared, own = 1.0, np.ones(len(domains))
    if calibrate:
        shared, own = fit_temperatures(probabilities, labels, codes, len(domains))
    temperatures = np.array([*own, shared], np.float32)
    raw = AnswerRules(tuple(domains), temperatures, np.zeros(len(domains) + 1, np.float32))
    right = probabilities.argmax(axis=1) == labels

    def facts(code: int, part: np.ndarray) -> dict[str, Any]:
        calibrated = raw.calibrated(probabilities[part], np.full(part.sum(), code))
        scores = ops.convert_to_numpy(calibrated).max(axis=1, initial=0)
        found = {
            "temperature": float(temperatures[code]),
            **{"threshold": ALWAYS, "texts": len(scores), "answered": len(scores)},
            **{"right": int(right[part].sum()), "needed": None},
        }
        if target_accuracy is None:
            return found
        limit = lowest_threshold(scores, right[part], target_accuracy, confidence)
        known = dataclasses.asdict(limit)
        return {**found, "threshold": known.pop("value"), **known}

    return {
        "domains": {name: facts(code, codes == code) for code, name in enumerate(domains)},
        "unknown": facts(len(domains), np.ones(len(labels), bool)),
    }
