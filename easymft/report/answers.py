"""What the models' answers are worth, in sentences: how sure, how many, how often right."""

from easymft.config.method import BY_META_LEARNER
from easymft.report.facts import KINDS, Facts
from easymft.report.words import percent

_HELD_OUT = {
    "dev": "development texts",
    "train": "training texts, each answered by models that had not seen it",
}


def answer_sentences(summary: Facts, kind: str | None = None) -> list[str]:
    """Return how far scores can be trusted, and for each domain how many texts can be answered.

    Args:
        summary: What `easymft.runs.execution.execute` returns.
        kind: Of `KINDS`; `None`: the last that answered, which the run's row of a table is of.
    """
    answers = summary.get("answers") or {}
    models = [name for name in KINDS if name in answers.get("models", {})]
    if not models or (kind is not None and kind not in models):
        return []
    kind = kind or models[-1]
    found, tested = answers["models"][kind], answers.get("test", {}).get(kind)
    source = answers.get("found_on", "dev")  # earlier versions knew no other
    sentences = _calibration(found, tested, source)
    target, confidence = answers["target_accuracy"], answers["confidence"]
    if target is None:
        return sentences
    sure = f"{_round(confidence)} % sure"
    sentences.append(
        "Below a domain's threshold the model abstains. Promised for texts like the "
        f"{_texts(source)}, {sure} for each domain: at least {_round(target)} % of its answers "
        "are right."
    )
    for name, domain in found["domains"].items():
        sentences.append(_domain(name, domain, tested and tested["domains"][name], target, source))
    sentences.append(
        "Nothing can be promised of domains that training did not know; for them "
        + _rule(found["unknown"] if kind == BY_META_LEARNER else _of_strangers(answers, found))
        + "."
    )
    return sentences


def _of_strangers(answers: Facts, found: Facts) -> Facts:
    return answers["models"].get(BY_META_LEARNER, found)["unknown"]


def _calibration(found: Facts, tested: Facts | None, source: str) -> list[str]:
    temperatures = [row["temperature"] for row in found["domains"].values()]
    if not tested or tested["error_before"] is None or set(temperatures) == {1}:
        return []
    before, after = percent(tested["error_before"]), percent(tested["error_after"])
    spread = f"{min(temperatures):.2f} to {max(temperatures):.2f}"
    return [
        f"Logits are divided by temperatures of {spread}, found on the {_HELD_OUT[source]}: the "
        f"expected calibration error on test texts goes from {before} to {after} points, of which "
        f"chance makes about {percent(tested['error_by_chance'])} with so many texts."
    ]


def _domain(name: str, found: Facts, tested: Facts | None, target: float, source: str) -> str:
    goal = f"{_round(target)} %"
    if found["threshold"] is None:
        enough = (
            "no number of texts like these would be enough"
            if found["needed"] is None
            else f"about {found['needed']:,} {_texts(source)} may be enough"
        )
        return f"{name}: nothing can be answered at {goal} with {found['texts']:,}; {enough}."
    share = _round(found["answered"] / found["texts"])
    sentence = f"{name}: {share} % can be answered at {goal} ({_rule(found)})"
    if not tested or not tested["answered"]:
        return f"{sentence}."
    answered = _round(tested["answered"] / tested["texts"])
    right = percent(tested["right"] / tested["answered"])
    return f"{sentence}; of {tested['texts']:,} test texts {answered} %, {right} % of them rightly."


def _rule(found: Facts) -> str:
    if found["threshold"] is None:
        return "it always abstains"
    return f"from a score of {found['threshold']:.3f} on"


def _texts(source: str) -> str:
    return _HELD_OUT[source].partition(",")[0]


def _round(share: float) -> str:
    return f"{100 * share:.3g}"
