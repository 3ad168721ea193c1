import numpy as np
import pytest

from tests.models.tiny import tiny_backbone


@pytest.fixture
def backbone():
    return tiny_backbone()


@pytest.fixture(scope="session")
def inputs():
    """Eight texts of two to five tokens from three domains."""
    lengths = np.array([5, 2, 3, 5, 4, 5, 2, 3])
    mask = np.arange(5) < lengths[:, None]
    tokens = np.random.default_rng(7).integers(1, 20, (8, 5))
    return {
        "token_ids": np.where(mask, tokens, 0).astype("int32"),
        "padding_mask": mask.astype("int32"),
        "segment_ids": np.tile(np.array([0, 0, 1, 1, 1], "int32"), (8, 1)),
        "domain": np.array([0, 1, 2, 0, 1, 2, 2, 0], "int32"),
    }


@pytest.fixture(scope="session")
def labels():
    return np.array([0, 1, 1, 0, 1, 0, 0, 1], "int32")


@pytest.fixture(scope="session")
def typicality():
    return np.array([0.9, 0.0, 0.4, -0.2, 0.7, 0.5, 0.0, 0.3], "float32")
