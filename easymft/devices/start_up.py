"""Starting TensorFlow: fast on every CPU, and without its start-up chatter."""

import contextlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator


def import_tensorflow(silently: bool = True) -> None:
    """Import TensorFlow, where it is installed, and let it look for devices, but compute nothing.

    Several workers can be joined only before the first op: see `compute_first_op`.

    It computes with oneDNN, which it would leave off on processors without AVX512: a step of
    fine-tuning takes an eighth less time on AVX2. `TF_ENABLE_ONEDNN_OPTS=0` in the environment
    keeps it off.

    Args:
        silently: Keep back what it says. Its C++ logging ignores every setting until it has
            started, and tells people without a GPU so several times. When the import fails, what
            it said is shown after all.
    """
    if importlib.util.find_spec("tensorflow") is None:
        return
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if silently:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _standard_error_kept() if silently else contextlib.nullcontext():
        import tensorflow as tf

        tf.config.list_physical_devices()
        if importlib.util.find_spec("tensorflow_text") is not None:
            import tensorflow_text  # noqa: F401 (says the same again)


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
    """Keep what goes to standard error, from C++ too, and let it go only if the block raises."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        terminal = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            kept.seek(0)
            os.write(terminal, kept.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
