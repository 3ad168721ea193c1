import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
from tensorboard.util import tensor_util

from easymft.report.tensorboard import Logs

DOMAINS = ("books", "größe/два")


def read(folder):
    """{tag: [(step, value), ...]} as TensorBoard reads a folder, by both of its readers."""
    old = event_accumulator.EventAccumulator(str(folder)).Reload()
    tags = old.Tags()["scalars"]
    curves = {tag: [(event.step, event.value) for event in old.Scalars(tag)] for tag in tags}
    new = plugin_event_accumulator.EventAccumulator(str(folder)).Reload()
    assert curves == {
        tag: [
            (event.step, tensor_util.make_ndarray(event.tensor_proto).item())
            for event in new.Tensors(tag)
        ]
        for tag in new.Tags()["tensors"]
    }
    return curves


def test_legs_become_curves_per_training_and_domain(tmp_path):
    with Logs(tmp_path / "logs", DOMAINS) as logs:
        logs.add_chunk("mixed", {"step": 50.0, "epoch": 0.5, "loss": 0.75, "mean_weight": 0.25})
        logs.add_chunk(
            "mixed",
            {
                "step": 100.0,
                "loss": 0.5,
                "corruption_loss_layer_2": 1.5,
                "accuracy_domain_1": 0.5,
                "dev_loss": 1.0,
                "dev_accuracy_domain_0": 0.25,
            },
        )
        logs.add_chunk("Fine tuning/books", {"step": 10, "loss": 2.0})
    assert read(tmp_path / "logs" / "mixed") == {
        "train/epoch": [(50, 0.5)],
        "train/loss": [(50, 0.75), (100, 0.5)],
        "train/mean_weight": [(50, 0.25)],
        "train/corruption_loss_layer_2": [(100, 1.5)],
        "train/accuracy/größe/два": [(100, 0.5)],
        "dev/loss": [(100, 1.0)],
        "dev/accuracy/books": [(100, 0.25)],
    }
    assert read(tmp_path / "logs" / "Fine-tuning-books") == {"train/loss": [(10, 2.0)]}


def test_figures_of_domains_not_trained_on_are_left_out(tmp_path):
    entry = {"step": 1, "accuracy_domain_0": 0.0, "accuracy_domain_1": 1.0, "dev_loss": 0.5}
    with Logs(tmp_path, ("books", "films")) as logs:
        logs.add_chunk("films", entry, only=1)
    assert set(read(tmp_path / "films")) == {"train/accuracy/films", "dev/loss"}


def test_every_leg_is_on_disk_at_once(tmp_path):
    logs = Logs(tmp_path)
    for step in (1, 2):
        logs.add_chunk("a", {"step": step, "loss": 0.5})
        assert read(tmp_path / "a")["train/loss"][-1] == (step, 0.5)
    logs.close()


def test_a_resumed_run_has_every_step_once(tmp_path):
    def write(steps, loss):
        with Logs(tmp_path) as logs:
            for step in steps:
                logs.add_chunk("a", {"step": step, "loss": loss})

    write((10, 20, 30, 40), 1.0)
    write((30, 40, 50), 2.0)  # from a checkpoint at step 20
    assert read(tmp_path / "a")["train/loss"] == [(10, 1), (20, 1), (30, 2), (40, 2), (50, 2)]
    write((10,), 3.0)  # from the beginning
    assert read(tmp_path / "a")["train/loss"] == [(10, 3)]


def test_recipe_is_a_text_and_hyperparameters(tmp_path):
    recipe = {
        "name": "<b>&",
        "export": False,
        "mft": {"alpha": 0.5, "clip": None, "corruption_layers": [2, 5]},
    }
    for _ in range(2):
        with Logs(tmp_path) as logs:
            logs.add_recipe(recipe)
    accumulator = plugin_event_accumulator.EventAccumulator(str(tmp_path)).Reload()
    (event,) = accumulator.Tensors("recipe")
    text = tensor_util.make_ndarray(event.tensor_proto).item().decode()
    assert text.splitlines()[:2] == ["    {", '      "name": "<b>&",']
    metadata = accumulator.SummaryMetadata("_hparams_/session_start_info")
    data = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content)
    values = {
        name: getattr(value, value.WhichOneof("kind"))
        for name, value in data.session_start_info.hparams.items()
    }
    assert values == {
        "name": "<b>&",
        "export": False,
        "mft.alpha": 0.5,
        "mft.corruption_layers": "[2, 5]",
    }


def test_embeddings_for_the_projector(tmp_path):
    texts = pa.table({"id": ["a", "b"], "domain": ["x\ty", "z\r\nz"], "x": [0.5, 1.5]})
    before = np.array([[1, 0.5, -1e-3], [2, 3, 12345678]], "float32")
    with Logs(tmp_path) as logs:
        logs.add_embeddings({"old": before}, texts)
        logs.add_embeddings({"before": before, "after": before + 1}, texts)
    config = text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), ProjectorConfig())
    assert [entry.tensor_name for entry in config.embeddings] == ["before", "after"]
    for entry, expected in zip(config.embeddings, (before, before + 1), strict=True):
        found = np.loadtxt(tmp_path / entry.tensor_path, delimiter="\t")
        np.testing.assert_allclose(found, expected, rtol=1e-4)
        assert list(entry.tensor_shape) == [2, 3]
        metadata = (tmp_path / entry.metadata_path).read_text().split("\n")
        assert metadata == ["id\tdomain", "a\tx y", "b\tz z", ""]


@pytest.mark.parametrize("method", ["close", "__enter__"])
def test_nothing_to_write_leaves_no_file(tmp_path, method):
    getattr(Logs(tmp_path / "logs"), method)()
    assert not (tmp_path / "logs").exists()


@pytest.mark.long
def test_needs_no_tensorflow(tmp_path):
    program = f"""
import sys
sys.modules["tensorflow"] = None  # importing it raises
import numpy, pyarrow
from easymft.report.tensorboard import Logs
with Logs({str(tmp_path)!r}) as logs:
    logs.add_recipe({{"a": 1}})
    logs.add_chunk("b", {{"step": 1, "loss": 0.5}})
    logs.add_embeddings({{"c": numpy.ones((1, 2))}}, pyarrow.table({{"id": ["d"]}}))
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert read(tmp_path / "b") == {"train/loss": [(1, 0.5)]}
