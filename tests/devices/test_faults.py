"""What other workers and full memory do to a run is told in one line; other errors stay."""

import pytest
import tensorflow as tf

from easymft.devices.faults import NoRoomError, no_room_told, told_in_a_line
from easymft.errors import InputError, WorkerError
from easymft.models.presets import preset_errors

FULL = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\nwith shape[8]")
INSIDE = tf.errors.InternalError(
    None, None, "Graph execution error:\nRESOURCE_EXHAUSTED: Out of memory while trying to allocate"
)
GONE = tf.errors.InternalError(None, None, "x\nCollective ops is aborted by: Socket closed:\n")
UNAVAILABLE = tf.errors.UnavailableError(None, None, "failed to connect\nto all addresses")
OURS = tf.errors.InvalidArgumentError(None, None, "a shape is wrong")


@pytest.mark.parametrize(
    ("workers", "error", "kind", "words"),
    [
        (1, FULL, MemoryError, r"no memory left for a step \(OOM when allocating tensor\); "),
        (2, FULL, MemoryError, "no memory left"),
        (1, INSIDE, MemoryError, r"step \(RESOURCE_EXHAUSTED: Out of memory while trying to"),
        (1, NoRoomError("all 8 GB are full"), MemoryError, r"step \(all 8 GB are full\); smaller"),
        (1, MemoryError("of a list"), MemoryError, "^of a list$"),
        (2, GONE, WorkerError, r"another worker ended or cannot be reached \(Socket closed\)$"),
        (2, UNAVAILABLE, WorkerError, r"\(failed to connect\)$"),
        (1, GONE, tf.errors.InternalError, "aborted"),
        (2, OURS, tf.errors.InvalidArgumentError, "a shape is wrong"),
        (2, KeyError("x"), KeyError, "x"),
    ],
)
def test_what_is_told(workers, error, kind, words):
    with pytest.raises(kind, match=words) as caught, told_in_a_line(workers):
        raise error
    assert caught.value is error or caught.value.__cause__ is error


@pytest.mark.parametrize("error", [FULL, INSIDE, MemoryError()])
def test_a_step_without_room_is_told_from_other_faults(error):
    with pytest.raises(NoRoomError, match=r"OOM when|Out of memory|MemoryError"), no_room_told():
        raise error
    with pytest.raises(tf.errors.InvalidArgumentError), no_room_told():
        raise OURS


def test_nothing_is_made_of_success():
    with told_in_a_line(2):
        done = True
    assert done


@pytest.mark.parametrize(("error", "kind"), [(GONE, tf.errors.InternalError), (OURS, InputError)])
def test_the_end_of_another_worker_is_no_fault_of_a_preset(error, kind):
    with pytest.raises(kind), preset_errors("a/preset"):
        raise error
