"""`--mode push`: an exported model and its card, in a repository of the Hugging Face hub."""

import os
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from easymft.errors import InputError
from easymft.export.exporter import CARD_FILE, SOURCE_FILE
from easymft.export.predictor import find_version


@dataclass(frozen=True)
class Pushed:
    """What was pushed, or would be.

    Attributes:
        repository: `OWNER/NAME`.
        files: Bytes of each file by its name in the repository.
        url: Of the commit; `None` for a dry run.
    """

    repository: str
    files: dict[str, int]
    url: str | None = None

    def lines(self) -> list[str]:
        """Return what was done, for people."""
        done = "would go into" if self.url is None else "went into"
        megabytes = sum(self.files.values()) / 1e6
        named = [f"  {name}, {size:,} bytes" for name, size in self.files.items()]
        return [
            f"{len(self.files)} files of {megabytes:.1f} MB {done} {self.repository}:",
            *named,
            *([] if self.url is None else [f"Commit: {self.url}"]),
        ]


def push(
    export: Path, repository: str | None, dry_run: bool = False, api: HfApi | None = None
) -> Pushed:
    """Put the newest version of the model that answers for all domains into a repository.

    The repository is made if it is not there, as a private one: who is to see it, is said on the
    hub. What stands there under other names stays.

    Args:
        export: The export folder of a run.
        repository: `OWNER/NAME`.
        dry_run: Look at the files only; nothing is sent.
        api: The hub, with the user's token; by default the one that `huggingface_hub` finds.

    Raises:
        InputError: There is no export or no card, the name is none, or the hub refuses.
        OSError: The hub cannot be reached.
    """
    owner, slash, name = (repository or "").partition("/")
    if not (owner and slash and name):
        raise InputError(f"must be OWNER/NAME. Received: {repository!r}", field="--name")
    version = find_version(export)
    if not (version / CARD_FILE).is_file():
        raise InputError("has no model card; export the run again", file=version)
    files = {
        path.relative_to(version).as_posix(): path.stat().st_size
        for path in sorted(version.rglob("*"))
        # What it was made from is for the next export here.
        if path.is_file() and path != version / SOURCE_FILE
    }
    if dry_run:
        return Pushed(repository, files)
    hub = api or HfApi()
    try:
        hub.create_repo(repository, private=True, exist_ok=True)
        commit = hub.upload_folder(
            repo_id=repository,
            folder_path=version,
            ignore_patterns=[SOURCE_FILE],
            commit_message="An export of easymft",
        )
    except (HfHubHTTPError, HFValidationError) as error:
        reason = str(error).strip().split(os.linesep)[0]
        message = f"the hub refuses it ({reason}); `hf auth login`, or HF_TOKEN, says who you are"
        raise InputError(message, field="--name") from error
    return Pushed(repository, files, commit.commit_url)
