"""A run without length buckets: what they cost in accuracy is the difference to a run with them.

    python -m tests.benchmarks.unbucketed --config app_zoo/few_shot_table.json

takes the flags of `python -m easymft.run`. Training texts are mixed whatever their lengths, and
every batch is padded to the recipe's greatest length. Evaluation, which no bucket can change, stays
fast.
"""

import contextlib
from unittest import mock

from easymft import run
from easymft.devices import start_up


@contextlib.contextmanager
def unbucketed():
    """Within it, training batches are drawn and padded without regard to length."""
    start_up.start()
    with (
        mock.patch("easymft.data.batches.batches.WINDOW", 1),
        mock.patch("easymft.methods.session.bucket_lengths", return_value=()),
    ):
        yield


if __name__ == "__main__":
    with unbucketed():
        run.cli()
