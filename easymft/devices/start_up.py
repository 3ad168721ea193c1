"""Starting TensorFlow and Keras: fast on every CPU, alike for everyone, without chatter."""

import contextlib
import gc
import importlib.util
import logging
import os
import resource
import sys
import tempfile
from collections.abc import Iterator

from easymft.errors import InputError, shown

logger = logging.getLogger(__name__)

BACKENDS = ("tensorflow", "jax")
# A run of the smallest model takes 3.8 GB of addresses on two cores (and 1.4 GB of memory).
LEAST_ADDRESS_SPACE = 4 << 30


def start(silently: bool = True) -> None:
    """Import TensorFlow, where it is installed, and Keras; compute nothing.

    Several workers can be joined only before the first op: see `compute_first_op`. TensorFlow
    computes with oneDNN, which it would leave off on processors without AVX512: a step of
    fine-tuning takes an eighth less time on AVX2. `TF_ENABLE_ONEDNN_OPTS=0` in the environment
    keeps it off. Of what the user set for other programs that use Keras only `KERAS_BACKEND`
    counts, so that a recipe computes the same for everyone.

    Args:
        silently: Keep back what TensorFlow says. Its C++ logging ignores every setting until it
            has started, and tells people without a GPU so several times. When an import fails,
            what it said is shown after all.

    Raises:
        InputError: They cannot start with this environment, `keras.json` or `ulimit`.
    """
    _check_address_space()
    _settle_environment()
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if silently:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _standard_error_kept() if silently else contextlib.nullcontext():
        _import_keras()
        if _is_installed("tensorflow"):
            import tensorflow as tf

            tf.config.list_physical_devices()
        if _is_installed("tensorflow_text"):
            import tensorflow_text  # noqa: F401 (says the same again)
    # The million objects of these packages stay; Python would look through them again and again
    # while a graph is made (a tenth of the time of a short run).
    gc.freeze()


def _check_address_space() -> None:
    """Refuse a limit under which TensorFlow's loader fails, or its threads spin for ever."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST_ADDRESS_SPACE:
        raise InputError(
            f"allows {limit >> 20:,} MB of address space, and TensorFlow needs "
            f"{LEAST_ADDRESS_SPACE >> 20:,} MB or more; raise it, or limit the memory by a cgroup",
            field="ulimit -v",
        )


def _settle_environment() -> None:
    """Choose Keras' backend, and take out what would change or break Keras in other ways."""
    wanted = os.environ.get("KERAS_BACKEND")
    backend = wanted or next(filter(_is_installed, BACKENDS), BACKENDS[0])
    if backend not in BACKENDS:
        raise InputError(
            f"must be {' or '.join(BACKENDS)}, or unset. Received: {shown(backend)}",
            field="KERAS_BACKEND",
        )
    if not _is_installed(backend):
        raise InputError(f"{backend} is not installed", field="KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = backend  # else keras.json's counts
    for name in ("TF_USE_LEGACY_KERAS", "KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH"):
        if os.environ.pop(name, ""):
            logger.warning("%s of the environment is left out of account.", name)


def _import_keras() -> None:
    try:
        import keras
    except (AssertionError, AttributeError, TypeError, ValueError) as error:
        folder = os.path.expanduser(os.environ.get("KERAS_HOME") or "~/.keras")
        reason = str(error).split("\n")[0]
        raise InputError(
            f"Keras does not start with it ({reason}); mend or remove it",
            file=os.path.join(folder, "keras.json"),
        ) from error
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")


def _is_installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def compute_first_op() -> None:
    """Start TensorFlow's runtime, once its devices are settled, without what it says of itself.

    oneDNN tells processors without AVX512 once that it leaves whole numbers alone.
    """
    import tensorflow as tf

    silently = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "0") != "0"
    with _standard_error_kept() if silently else contextlib.nullcontext():
        tf.transpose(tf.constant([[0]], tf.int64))


@contextlib.contextmanager
def _standard_error_kept() -> Iterator[None]:
    """Keep what goes to standard error, from C++ too, and show it only if the block fails."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        terminal = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except InputError:
            raise
        except BaseException:
            sys.stderr.flush()
            kept.seek(0)
            os.write(terminal, kept.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
