"""Arguments that layers and models had in earlier versions, in what was saved by them."""

from typing import Any


def without(config: dict[str, Any], removed: dict[str, Any]) -> dict[str, Any]:
    """Return a saved configuration without arguments that are gone.

    Args:
        config: As `get_config` of an earlier version gave it.
        removed: The arguments that are gone, with the values that had no effect.

    Raises:
        ValueError: An argument that is gone had an effect.
    """
    for name, neutral in removed.items():
        if config.get(name, neutral) != neutral:
            raise ValueError(
                f"`{name}={config[name]!r}` was saved by an earlier version and is gone: "
                "where it was measured it cost accuracy. Load the file with the version that wrote "
                "it, or train anew without it."
            )
    return {name: value for name, value in config.items() if name not in removed}
