import pytest
import tensorflow as tf

from tests.models.keras_preset import write_keras_bert


@pytest.fixture(scope="session")
def preset(tmp_path_factory):
    """An encoder that nobody trained."""
    return write_keras_bert(tmp_path_factory.mktemp("preset"))


@pytest.fixture(scope="module", autouse=True)
def eager():
    """No tracing, which would take most of the time."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
