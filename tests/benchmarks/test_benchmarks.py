"""The machinery of the benchmarks, on sizes at which figures mean nothing."""

import json

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from absl import flags
from absl.testing import flagsaver

from easymft.config import Answers
from easymft.data.batches.batches import batch_plan
from easymft.methods import answers as answers_of
from easymft.runs.evidence import read_evidence
from tests.benchmarks import (
    accuracy,
    agreement,
    answers,
    contest,
    domains,
    engines,
    score,
    share,
    step_profile,
    texts,
    train_easymft,
    train_easymft_fit,
    train_keras_hub,
    train_rate,
    train_steps,
    typicality,
    unbucketed,
)
from tests.models.hugging_face import write_bert

FAKE = """
from tests.benchmarks.worker import serve

def prepare(settings):
    rounds = iter(range(1, 10))
    print("chatter of a library")
    return lambda: {settings["name"]: {"wall": settings["speed"] * next(rounds), "cpu": 1.0}}

if __name__ == "__main__":
    serve(prepare)
"""


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Of a round of two steps, untraced: tracing takes most of the time."""
    monkeypatch.delenv("EASYMFT_DATA_DIR", raising=False)
    write_bert(tmp_path / "bert", num_layers=1, do_lower_case=True)
    folder = str(tmp_path / "bert")
    tf.config.run_functions_eagerly(True)
    yield {
        "name": "it",
        "texts": texts.load("amazon", 5, pairs=True),
        "preset": folder,
        "folder": folder,
        "length": 8,
        "batch": 4,
        "precision": "float32",
        "jit_compile": False,
    }
    tf.config.run_functions_eagerly(False)
    keras.config.set_dtype_policy("float32")


def test_workers_take_turns(tmp_path, monkeypatch):
    (tmp_path / "fake.py").write_text(FAKE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    workers = [contest.Worker("fake", {"name": n, "speed": s}) for n, s in (("a", 2), ("b", 3))]
    rounds = contest.alternate(workers, 3)
    # Round 1 is not counted.
    assert [times["a"]["wall"] for times in rounds] == [4, 6, 8]
    b, a = contest.summary(rounds, "b", texts=18)
    assert (b["wall_s"], b["wall_ratio"], b["texts_per_s"]) == (9, 1, 2)
    assert (a["wall_s"], a["cpu_ratio"]) == (6, 1)
    assert a["wall_ratio_range"] == pytest.approx([2 / 3] * 2)
    table = contest.markdown("Title", [b, a], "b").splitlines()
    assert table[-1] == "| a | 3.0 | 6 | 0.667 | 0.667 to 0.667 | 1 |"


def test_a_worker_that_fails_is_named(tmp_path, monkeypatch):
    (tmp_path / "fake.py").write_text("raise SystemExit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="fake ended"):
        contest.alternate([contest.Worker("fake", {})], 1)


def test_a_contestant_without_its_packages_is_left_out(caplog):
    assert contest.can("it", ("json", "csv"))
    assert not contest.can("it", ("json", "no_such_package"))
    (message,) = caplog.messages
    assert message.startswith("it is left out: ")
    assert "does not have all of json, no_such_package" in message


def test_embeddings_that_changed_are_told_by_angle_and_class():
    # Texts in turn learned and asked; the class is the side on which an embedding lies.
    exact = np.array([[1, 1], [1, 1], [-1, 1], [-1, 1], [1, 1], [1, 1], [-1, 1], [-1, 1]], float)
    other = 2 * exact
    other[3] = [1, 1]  # crosses over, at a right angle
    labels = np.array([1, 1, 0, 0, 1, 1, 0, 0])
    figures = agreement.agreement(exact, other, labels)
    assert (figures["asked"], figures["agree"]) == (4, 3)
    assert figures["median_cosine"] == pytest.approx(1)
    assert figures["least_cosine"] == pytest.approx(0)
    assert agreement.sentence("int8", figures).endswith("; 3 of 4 texts keep their class.")
    # Of one class nothing can be learned.
    assert set(agreement.agreement(exact, other, labels * 0)) == {"median_cosine", "least_cosine"}


@pytest.mark.long
@pytest.mark.parametrize("module", [train_easymft, train_easymft_fit, train_keras_hub])
def test_trainers_train(settings, module):
    times = module.prepare(settings)()
    assert list(times) == ["it"]
    assert times["it"]["wall"] > 0


@pytest.mark.long
def test_steps_of_both_kinds_are_timed(settings):
    assert set(train_steps.prepare(settings)()) == {"plain step", "MFT (Full) step"}


@pytest.mark.long
def test_texts_are_scored_in_this_process(settings):
    times = score.prepare({**settings, "how": "keras"})()
    assert times["it"]["wall"] > 0


@pytest.mark.long
def test_onnx_runtime_scores_and_keeps_embeddings(settings, tmp_path):
    if not contest.can("ONNX Runtime", ("torch", "transformers", "onnx", "onnxruntime")):
        pytest.skip("not installed")
    file = tmp_path / "int8.npy"
    own = {"how": "onnx", "precision": "int8", "embeddings": str(file)}
    # In a process of its own: PyTorch does not bear TensorFlow beside it everywhere.
    (times,) = contest.alternate([contest.Worker("tests.benchmarks.score", settings | own)], 1)
    assert times["it"]["wall"] > 0
    assert np.load(file).shape == (5, 4)


@pytest.mark.long
def test_an_epoch_is_timed_beside_its_matrix_products(settings):
    assert set(train_rate.prepare(settings)()) == {"easymft", "its matrix products alone"}


def test_operations_are_those_of_padded_positions(settings, monkeypatch):
    class Tokens:
        lengths = np.array([3, 20, 9, 30, 16])

    monkeypatch.setattr(train_rate, "_encoder", lambda preset: (1000, 10, 2))
    monkeypatch.setattr(train_rate.train_easymft, "tokens_of", lambda settings: Tokens)
    # Sorted in twos: 3 and 9 pad to 16, 16 and 20 to 24 (cut), 24 alone.
    texts = ((2, 16), (2, 24), (1, 24))
    expected = sum(n * t * (6 * 1000 + 12 * 2 * t * 10) for n, t in texts)
    assert train_rate.operations({**settings, "length": 24, "batch": 2}) == expected


def test_a_profile_says_what_ops_are_for():
    layer = "gradient_tape/encoder/transformer_layer_0"
    ops = {
        f"{layer}/feedforward_output_dense/Tensordot/MatMul:_MklMatMul": 4.0,
        f"{layer}/feedforward_layer_norm/mul/Mul:Mul": 1.0,
        f"{layer}/self_attention_layer/softmax/SelectV2:SelectV2": 0.5,
        "bert_adam_w/Square:Square": 0.25,
        "select_convert_fusion": 0.125,
        "add_convert_fusion": 2.0,
        "Iterator:IteratorGetNext": 8.0,
    }
    kinds = {kind: seconds for kind, seconds in step_profile.by_kind(ops).items() if seconds}
    assert kinds == {
        "matrix products": 4.0,
        "layer normalization": 1.0,
        "softmax and mask": 0.5,
        "Adam, weight decay, clipping": 0.25,
        "dropout": 0.125,
        "GELU": 2.0,
        "all else": 8.0,
    }
    lines = step_profile.table({"16 x 128": (0.5, ops)}).splitlines()
    assert lines[2] == "| all else | 8000.0 (50%) |"
    assert lines[-2:] == [
        "| ops together | 15875 |",
        "| a step, without the profiler | 500 |",
    ]


@pytest.mark.long
def test_what_runs_inside_an_op_is_not_counted_twice():
    xplane_pb2 = pytest.importorskip("tensorflow.tsl.profiler.protobuf.xplane_pb2")
    space = xplane_pb2.XSpace()
    plane = space.planes.add(name="/host:CPU")
    for number, name in enumerate(("Run", "a/MatMul:MatMul", "select_fusion"), start=1):
        plane.event_metadata[number].name = name
    line = plane.lines.add()
    for number, start, length in ((1, 0, 100), (2, 10, 50), (3, 20, 15), (2, 70, 5)):
        line.events.add(metadata_id=number, offset_ps=start, duration_ps=length)
    found = step_profile.own_seconds(space.SerializeToString())
    assert found == pytest.approx({"a/MatMul:MatMul": 40e-12, "select_fusion": 15e-12})


def test_the_loop_over_rows_and_the_layer_agree():
    one_round = typicality.prepare({"texts": 40, "domains": 3, "classes": 2})
    assert set(one_round()) == {"loop over rows", "TypicalityWeighting"}


def test_streamed_numbers_are_the_same_at_every_pass():
    first, second = (list(typicality.chunks(5, 2, 3, 2)) for _ in range(2))
    assert [len(labels) for _, labels, _ in first] == [2, 2, 1]
    for one, other in zip(first, second, strict=True):
        for array, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(array, same)
    times = typicality.stream({"texts": 50, "chunk": 20, "domains": 3, "classes": 2})()
    assert times["memory_GB"]["peak"] >= times["memory_GB"]["before"] > 0


def test_unbucketed_batches_are_mixed_and_of_one_length(monkeypatch):
    monkeypatch.setattr(
        "easymft.data.batches.batches.LEAST_WINDOWS", 1
    )  # all 8 batches in one window
    lengths = np.arange(1, 65)
    with unbucketed.unbucketed():
        from easymft.methods import session

        assert session.bucket_lengths(False) == ()
        plan = batch_plan(lengths, 8, seed=1)
    # Among 64 lengths, 8 neighbours span 7; 8 drawn at random span more.
    assert min(np.ptp(lengths[batch]) for batch in plan) > 7
    assert max(np.ptp(lengths[batch]) for batch in batch_plan(lengths, 8, seed=1)) == 7


def test_the_share_of_counted_calls_counts_nested_ones_once():
    now = [0.0]
    whole = share.Share(lambda: now[0])

    def wait(seconds, then=lambda: None):
        now[0] += seconds
        then()

    counted = whole.counted(wait)
    counted(2.0, lambda: counted(1.0))
    wait(1.0)
    assert str(whole) == "75.0% of 4 s: training and encoder passes, 3 s"


@pytest.mark.long
def test_many_domains_are_measured(settings, tmp_path):
    # In a graph, as it is served, and with parts that are small beside no encoder of width 8.
    own = ("precision=float32", "backbone.max_length=16")
    figures = domains.measure(tmp_path, settings["preset"], 3, 10, 40, 2, own)
    assert figures["checkpoints_over_one_model"] > 1
    assert figures["export_over_one_model"] > 1
    assert all(np.isfinite(value) and value > 0 for value in figures.values())


def test_texts_of_many_domains_are_distinct_and_of_both_classes(tmp_path):
    for named in (True, False):
        domains.write_texts(tmp_path / "texts.csv", 5, 6, named)
        table = pd.read_csv(tmp_path / "texts.csv")
        assert len(set(table["text"])) == len(table) == 30
        assert table.groupby(["domain", "label"]).size().tolist() == (
            [3] * 10 if named else [15] * 2
        )


@pytest.mark.slow
def test_an_engine_is_timed_and_its_answers_are_counted(tmp_path):
    header, row = engines.measured(tmp_path, 70, 3, [])
    assert header[:3] == ["engine", "workers", "killed"]
    assert row[:3] == ["local", "1", "0"]
    assert float(row[3].replace(",", "")) > 0


@pytest.mark.slow
def test_another_tool_stands_beside_a_sweeps_rows(settings, tmp_path, capsys):
    recipe = tmp_path / "two_rows.json"
    sweep = {"methods": ["tfidf"], "seeds": [1], "compare_with": [], "variations": {"few": {}}}
    recipe.write_text(json.dumps({"data": {"source": "sample"}, "sweep": sweep}))
    epochs = ["meta_fine_tune.epochs=1", "fine_tune.epochs=0"]
    encoder = [f"backbone.preset={settings['preset']}", "backbone.max_length=16"]
    own = [f"--setting={value}" for value in (*epochs, *encoder, f"output_dir={tmp_path}")]
    command = ["accuracy", "--recipe", str(recipe), "--peers", "keras_hub", *own]
    with flagsaver.flagsaver():
        flags.FLAGS([*command, "--folder", str(tmp_path / "kept")])
        accuracy.main([])
    found = read_evidence(tmp_path / "kept")
    assert [method for _, method, _ in found] == ["tfidf", "keras-hub, mixed"]
    one, other = (run.predictions for run in found.values())
    for name in ("id", "domain", "label"):
        assert other[name] == one[name]
    assert set(other["predicted"].to_pylist()) <= set(one["label"].to_pylist())
    assert "| keras-hub, mixed |" in capsys.readouterr().out


def test_promises_are_tried_on_splits_of_held_out_texts(tmp_path):
    # A model that is 90 % sure, three times of four rightly, in two domains.
    rows = [
        {
            **{"model": "meta_learner", "split": "dev" if n < 40 else "test", "id": str(n)},
            **{"domain": "ab"[n % 2], "label": "+", "predicted": "+-"[n % 4 == 3]},
            "probabilities": [0.9, 0.1] if n % 4 < 3 else [0.1, 0.9],
        }
        for n in range(120)
    ]
    folder = tmp_path / "sweep/5-percent/mix/seed-1"
    (folder / "stages").mkdir(parents=True)
    types = {"probabilities": pa.list_(pa.float32())}
    schema = pa.schema([(k, types.get(k, pa.string())) for k in rows[0]])
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "predictions.parquet")
    (folder / "config.json").write_text(json.dumps({"method": "mix", "seed": 1}))
    (folder / "stages/validate.json").write_text(json.dumps({"labels": ["+", "-"]}))
    raw = answers.of_runs(str(tmp_path / "*/*/*/seed-*"))
    # As it is kept, and read again.
    pq.write_table(raw, tmp_path / "kept.parquet")
    kept = pq.read_table(tmp_path / "kept.parquet")
    ((row, found),) = answers.shown(kept, 3, [0.5, 0.95], 0.9).items()
    assert row == ("5-percent", "BERT (Mix)")
    assert len(found) == 3
    for split in found:
        # Domain a is always right, domain b half of the times.
        sure, unsure = split[0.95]
        assert sure["texts"] == unsure["texts"] == 40
        assert (sure["answered"], unsure["answered"]) == (0, 0)  # 20 texts show no 95 %
        assert (split[0.5][0]["answered"], split[0.5][0]["right"]) == (40, 40)
        assert split["error_before"] == pytest.approx(0.25, abs=0.1)
    text = answers.table({("5-percent", "Mix"): found}, [0.5, 0.95])
    assert "| 5-percent, Mix | " in text
    # What was calibrated is read as the model gave it.
    facts = answers_of.fit(raw, ["+", "-"], ["a", "b"], Answers())
    calibrated = answers_of.calibrated(raw, facts, ["a", "b"])
    pq.write_table(calibrated, folder / "predictions.parquet")
    (folder / "answers.json").write_text(json.dumps(facts))
    again = answers.of_runs(str(folder))
    np.testing.assert_allclose(
        np.array(again["probabilities"].to_pylist()),
        np.array(raw["probabilities"].to_pylist()),
        atol=1e-6,
    )
