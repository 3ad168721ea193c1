"""The user's cache: what was fetched or worked out once and can be so again."""

import os
from pathlib import Path

from easymft import files
from easymft.errors import InputError

VARIABLE = "EASYMFT_CACHE_DIR"


def cache_dir() -> Path:
    """Return `$EASYMFT_CACHE_DIR`, else `easymft` in `$XDG_CACHE_HOME` or ~/.cache.

    Raises:
        InputError: This user has no home folder, as in some containers, and nothing else is named.
    """
    own, shared = os.environ.get(VARIABLE), os.environ.get("XDG_CACHE_HOME")
    folder = Path(os.path.expanduser(own or shared or "~/.cache"))
    if folder.parts[0].startswith("~"):
        raise InputError("no home folder; name a folder for the cache", field=VARIABLE)
    return folder if own else folder / "easymft"


def check_writable() -> None:
    """Raise `InputError` if nothing can be put into the cache."""
    if obstacle := files.obstacle(cache_dir()):
        message = f"this cache cannot be written ({obstacle}); name another folder by {VARIABLE}"
        raise InputError(message, file=cache_dir())
