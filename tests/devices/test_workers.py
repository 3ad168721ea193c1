"""Real worker processes that find each other through TF_CONFIG."""

import json
import re
import signal
import time

import pytest

from easymft.config.loading import load_config
from easymft.files import read_json
from easymft.runs.execution import execute
from easymft.runs.run import Run
from tests.devices import workers
from tests.small_run import write_recipe

TIMEOUT = 400


def last_lines(folder):
    return [workers.log(folder, index).read_text().splitlines()[-1] for index in range(2)]


@pytest.mark.long
def test_the_command_line_trains_on_two_workers(tmp_path):
    """The one test of two processes that every commit runs: it is small, the others are slow."""
    phase = {"epochs": 1, "validation_freq": 0, "learning_rate": 0.01, "batch_size": 16}
    recipe = write_recipe(tmp_path, method="mix", meta_fine_tune=phase)
    command = ["-m", "easymft.run", "--config", str(recipe), "--local_workers=2"]
    (process,) = workers.start(1, command, tmp_path)
    assert process.wait(TIMEOUT) == 0, workers.log(tmp_path, 0).read_text()
    assert "multi_worker, 2 replicas, 2 workers" in workers.log(tmp_path, 0).read_text()
    run = tmp_path / "runs/tiny/mix/seed-1"
    last = read_json(run / "stages/meta_fine_tune.json")["history"][-1]
    # 48 texts, 16 at a time for both workers together, in both phases' epochs.
    assert (last["epoch"], last["step"]) == (2, 6)
    assert (run / "report.html").exists()


@pytest.mark.slow
def test_plain_user_code_trains_on_two_workers(tmp_path):
    processes = workers.start(2, ["-m", "tests.devices.workers", "all"], tmp_path)
    assert [process.wait(TIMEOUT) for process in processes] == [0, 0], last_lines(tmp_path)
    one, other = map(json.loads, last_lines(tmp_path))
    for name in ("history", "figures", "weights"):
        assert one[name] == other[name]
    assert all(a != b for a, b in zip(one["drawn"], other["drawn"], strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("repair", "words"), [("none", "PerReplica"), ("before", "reduction dimension")]
)
def test_keras_needs_all_of_the_repair(tmp_path, repair, words):
    """Once this fails, Keras has mended keras #20585: `repair_keras` can go in time."""
    processes = workers.start(2, ["-m", "tests.devices.workers", repair], tmp_path)
    assert all(process.wait(TIMEOUT) for process in processes)
    assert words in workers.log(tmp_path, 0).read_text()


# Every stage that trains, with one model, since each worker traces every model anew.
EVERY_STAGE = {
    "method": "mft_self",
    "adapt": {"epochs": 2, "learning_rate": 0.01, "batch_size": 16},
    "self_train": {"gate": "none"},
    "fine_tune": {"epochs": 1, "learning_rate": 0.01, "batch_size": 16, "parts": "head"},
}
FEW = ["data.split.few_shot.per_class=4", 'data.split.few_shot.rest="unlabeled"']


@pytest.mark.slow
def test_two_workers_do_a_whole_run_and_survive_the_loss_of_one(tmp_path, fast):
    """One of them is killed in the encoder's adaptation, and once more in self-training."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    recipes = [write_recipe(tmp_path / name, **EVERY_STAGE) for name in ("one", "two")]
    execute(Run(load_config(recipes[0], FEW)))

    options = [f"--set={setting}" for setting in FEW]
    command = ["-m", "easymft.run", "--verbosity=0", *options, "--config", str(recipes[1])]
    folder = tmp_path / "two"
    for stage in ("adapt", "self_train"):
        processes = workers.start(2, command, folder)
        while not _is_within(stage, workers.log(folder, 0).read_text()):
            assert processes[0].poll() is None, last_lines(folder)
            time.sleep(0.05)
        processes[1].kill()
        assert processes[0].wait(TIMEOUT) == 1
        assert "another worker ended or cannot be" in workers.log(folder, 0).read_text()

    processes = workers.start(2, command, folder)
    assert [process.wait(TIMEOUT) for process in processes] == [0, 0], last_lines(folder)
    # Each worker logs the figures that it has itself.
    logs = [workers.log(folder, index).read_text() for index in range(2)]
    epochs = [re.findall(r"epoch \d.*", log) for log in logs]
    assert epochs[0] == epochs[1] != []
    tables = [log.split("|", 1)[1] for log in logs]
    assert tables[0] == tables[1]
    whole, run = (tmp_path / name / "runs/tiny/mft_self/seed-1" for name in ("one", "two"))
    assert read_json(run / "splits.json") == read_json(whole / "splits.json")
    for stage, figure in (("adapt", "loss"), ("meta_fine_tune", "dev_loss")):
        one, two = (
            read_json(path / f"stages/{stage}.json")["history"][-1][figure] for path in (whole, run)
        )
        assert one == pytest.approx(two, abs=0.05)
    one, two = (read_json(path / "stages/typicality.json")["mean"] for path in (whole, run))
    assert one == pytest.approx(two, abs=1e-3)


def _is_within(stage, log):
    """Whether a stage has trained for an epoch."""
    return "epoch 1 of " in log.partition(f"Stage {stage} ...")[2]


@pytest.mark.slow
def test_the_launcher_stops_all_workers_when_asked(tmp_path):
    recipe = write_recipe(
        tmp_path, meta_fine_tune={"epochs": 500, "learning_rate": 0.01, "batch_size": 8}
    )
    command = ["-m", "easymft.run", "--config", str(recipe), "--local_workers=2"]
    (process,) = workers.start(1, command, tmp_path)
    while "epoch 2 of 500" not in workers.log(tmp_path, 0).read_text():
        assert process.poll() is None, last_lines(tmp_path)
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(TIMEOUT) == 75
    state = tmp_path / "runs/tiny/mft/seed-1/checkpoints/meta-learner.partial"
    assert read_json(state / "history.json")[-1]["step"] > 10
