import pytest

from tests.fuzz.seeds import FOUND, GOOD
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize(
    ("target", "content"),
    [(name, content) for name in TARGETS for content in [*GOOD[name], *FOUND[name]]],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_what_fuzzing_starts_from_and_what_it_found(target, content):
    TARGETS[target](content)
