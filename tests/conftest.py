import pytest
import wrapt


@wrapt.when_imported("tensorflow")
def _four_devices(tf):
    """For tests of several replicas; can be set only before TensorFlow's runtime starts."""
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 4
    )


# What asks for one of these waits until it is trained or exported.
LONG_FIXTURES = {"export_folder", "fitted", "numbered", "young"}


@pytest.hookimpl(tryfirst=True)  # before pytest reads -m
def pytest_collection_modifyitems(items):
    """Mark as `quick` whatever nobody marked otherwise."""
    for item in items:
        if not LONG_FIXTURES.isdisjoint(item.fixturenames):
            item.add_marker(pytest.mark.long)
        if not any(item.iter_markers("long")) and not any(item.iter_markers("slow")):
            item.add_marker(pytest.mark.quick)


@pytest.fixture
def plain_pictures(monkeypatch):
    """Reports whose pictures are words; tests/report draws all of them."""
    from markupsafe import Markup

    from easymft.report.plots import canvas

    plain = Markup('<svg role="img" aria-label="{}"></svg>')
    monkeypatch.setattr(canvas, "_inline_svg", lambda figure, label: plain.format(label))


@pytest.fixture
def fast(tmp_path, monkeypatch, plain_pictures):
    """No tracing, which would take most of a run's time; and a cache of the test's own."""
    import tensorflow as tf

    monkeypatch.setenv("EASYMFT_CACHE_DIR", str(tmp_path / "cache"))
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def mixed_bfloat16():
    """The global mixed policy, as a user of precision="mixed_bfloat16" has it."""
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def reload(tmp_path):
    """Save a model as .keras and load it again."""
    import keras

    def save_and_load(model):
        model.save(tmp_path / "model.keras")
        return keras.saving.load_model(tmp_path / "model.keras")

    return save_and_load
