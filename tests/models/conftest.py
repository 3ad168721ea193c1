import keras
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


@pytest.fixture
def mixed_bfloat16():
    """The global mixed policy, as a user of precision="mixed_bfloat16" has it."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def reload(tmp_path):
    """Save a model as .keras and load it again."""

    def save_and_load(model):
        model.save(tmp_path / "model.keras")
        return keras.saving.load_model(tmp_path / "model.keras")

    return save_and_load
