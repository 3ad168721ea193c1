"""Settings of earlier versions: what they are called now, and which are gone."""

from typing import Any

RENAMED = {
    "adversary_strength": "adversary.strength",
    "fine_tune.accumulate": "fine_tune.gradient_accumulation_steps",
    "fine_tune.dev_every": "fine_tune.validation_freq",
    "fine_tune.keep_if_better": "fine_tune.select_best_on_dev",
    "meta_fine_tune.accumulate": "meta_fine_tune.gradient_accumulation_steps",
    "meta_fine_tune.dev_every": "meta_fine_tune.validation_freq",
    "mft.embedding": "backbone.pooling",
    "optimizer.warmup": "optimizer.warmup_ratio",
    "self_train.weights": "self_train.weight_by",
}
# What says the same now in other settings; a saved run of then has whole copies.
REPLACED = {
    "fine_tune.lora_rank": '`fine_tune.parts` "lora", of size `fine_tune.adapters.rank`',
}
# With the value that meant the extension was off.
REMOVED = {"mft.head_target": "corrupted", "mft.head_speed": 1.0}


def explain_earlier_name(key: str) -> str | None:
    """Return what to do about a setting that had a place in earlier versions, else `None`."""
    if key in RENAMED:
        return f"this setting is now called `{RENAMED[key]}`"
    if key in REPLACED:
        return f"this setting is gone; take {REPLACED[key]}"
    if key in REMOVED:
        return "this setting is gone: where it was measured it cost accuracy (app_zoo/RESULTS.md)"
    return None


def with_present_names(saved: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe that an earlier version saved, with its settings under their names of now.

    A setting that is gone stays where it had an effect, for the reader to refuse.
    """
    saved = {key: dict(part) if isinstance(part, dict) else part for key, part in saved.items()}
    for key, name in RENAMED.items():
        section, value = _pop(saved, key)
        if section is not None:
            target, _, leaf = name.partition(".")
            saved.setdefault(target, {})[leaf] = value
    for key in REPLACED:
        _pop(saved, key)
    for key, neutral in REMOVED.items():
        section, value = _pop(saved, key)
        if section is not None and value != neutral:
            section[key.rpartition(".")[2]] = value
    return saved


def _pop(saved: dict[str, Any], key: str) -> tuple[dict[str, Any] | None, Any]:
    """Take `section.key` out; return the section it stood in (`None`: it is not there)."""
    name, _, leaf = key.rpartition(".")
    section = saved.get(name) if name else saved
    if not isinstance(section, dict) or leaf not in section:
        return None, None
    return section, section.pop(leaf)
