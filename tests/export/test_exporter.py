import json
import re
import shutil
from pathlib import Path

import pytest
import tensorflow as tf
import yaml
from google.protobuf import text_format
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from easymft.errors import InputError
from easymft.export import export_run
from easymft.export.exporter import model_names
from easymft.report.model_card import render_model_card
from tests.export.conftest import DOMAINS, LABELS
from tests.report.test_model_card import make_summary

MODELS = ["meta-learner", "books", "dvd-co", "combined"]


def test_every_model_has_its_folder(export_folder):
    folders = {path.name for path in export_folder.iterdir() if path.is_dir()}
    assert folders == set(MODELS)
    for name in MODELS:
        assert [path.name for path in (export_folder / name).iterdir()] == ["1"]
        extra = export_folder / name / "1" / "assets.extra"
        assert (extra / "labels.txt").read_text("utf-8") == "negative\npositive\ngrößer\n"
        assert (extra / "domains.txt").read_text("utf-8") == "books\ndvd & co\nmusic\n"


def test_warmup_requests_run_every_signature_and_domain(export_folder):
    folder = export_folder / "combined" / "1"
    logs = _warmup(folder)
    assert len(logs) <= 1000
    model = tf.saved_model.load(str(folder))
    signatures, domains = set(), set()
    for log in logs:
        request = (
            log.predict_log.request if log.HasField("predict_log") else log.classify_log.request
        )
        assert request.model_spec.name == "combined"
        name = request.model_spec.signature_name
        signatures.add(name)
        if log.HasField("predict_log"):
            inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
            domains.update(inputs["domain"])
        else:
            examples = request.input.example_list.examples
            inputs = {"inputs": [example.SerializeToString() for example in examples]}
        answers = model.signatures[name](**{k: tf.constant(v) for k, v in inputs.items()})
        size = len(next(iter(inputs.values())))
        assert all(answer.shape[0] == size for answer in answers.values())
    assert signatures == {"serving_default", "embed", "classify"}
    assert domains == {b"", *(name.encode() for name in DOMAINS)}
    sizes = {log.predict_log.request.inputs["text"].tensor_shape.dim[0].size for log in logs[::3]}
    assert sizes == {1, 32}


def test_warmup_requests_of_one_model(export_folder):
    logs = _warmup(export_folder / "books" / "1")
    assert {key for log in logs for key in log.predict_log.request.inputs} == {"text"}


def test_server_configuration(export_folder):
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((export_folder / "models.config").read_text(), config)
    models = config.model_config_list.config
    assert [(m.name, m.base_path, m.model_platform) for m in models] == [
        (name, f"/models/{name}", "tensorflow") for name in MODELS
    ]
    assert (export_folder / "monitoring.config").read_text().startswith("prometheus_config {")


def test_batching_keeps_the_servers_rules(export_folder):
    text = (export_folder / "batching_params.pbtxt").read_text()
    text = re.sub("#.*", "", text)
    values = dict(re.findall(r"(\w+) \{ value: (\d+) \}", text))
    assert set(values) == {
        "max_batch_size",
        "batch_timeout_micros",
        "max_enqueued_batches",
        "num_batch_threads",
    }
    sizes = [int(size) for size in re.findall(r"allowed_batch_sizes: (\d+)", text)]
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == int(values["max_batch_size"])


def test_compose_file(export_folder):
    service = yaml.safe_load((export_folder / "docker-compose.yml").read_text())["services"][
        "serving"
    ]
    assert service["image"].startswith("tensorflow/serving:2.")
    assert service["volumes"] == [".:/models:ro"]
    for flag in service["command"]:
        if (value := flag.split("=")[1]).startswith("/models/"):
            assert (export_folder / value.removeprefix("/models/")).is_file()


def test_python_example_of_the_readme_runs(export_folder, monkeypatch):
    readme = (export_folder / "README.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, re.S)
    monkeypatch.chdir(export_folder)
    names = {}
    exec(blocks[-1], names)
    assert names["answer"]["label"].shape == (1,)
    grpc_example = compile(blocks[0], "README.md", "exec")
    assert {"grpc", "insecure_channel", "Predict"} <= set(grpc_example.co_names)


def test_curl_examples_of_the_readme_hold_json(export_folder):
    readme = (export_folder / "README.md").read_text("utf-8")
    bodies = [json.loads(body) for body in re.findall(r"-d '(.*?)'\n", readme, re.S)]
    assert bodies[0] == {"instances": [{"text": "It works.", "domain": "books"}]}
    assert bodies[1] == {"inputs": {"text": ["It works.", "It broke."], "domain": ["", ""]}}
    assert [body.get("signature_name") for body in bodies[2:]] == ["embed", "classify"]


def test_a_second_export_is_a_second_version(tmp_path, export_folder, monkeypatch):
    def copy(folder, models, *_, pair):
        shutil.copytree(export_folder / "books" / "1", folder)

    monkeypatch.setattr("easymft.export.exporter.write_saved_model", copy)
    models = {"meta-learner": None}
    paths = [export_run(models, None, LABELS, DOMAINS, tmp_path) for _ in range(2)]
    names = [[path.relative_to(tmp_path).as_posix() for path in p] for p in paths]
    assert names == [["meta-learner/1", "combined/1"], ["meta-learner/2", "combined/2"]]
    assert "combined/2" in (tmp_path / "README.md").read_text()


def test_every_model_has_its_card(tmp_path, export_folder, monkeypatch):
    def copy(folder, models, *_, pair):
        shutil.copytree(export_folder / "books" / "1", folder)

    monkeypatch.setattr("easymft.export.exporter.write_saved_model", copy)
    models = {"meta-learner": None, "dvd & co": None}
    paths = export_run(models, None, LABELS, DOMAINS, tmp_path, card=lambda key: f"card of {key}")
    assert [(path / "README.md").read_text("utf-8") for path in paths] == [
        "card of meta-learner",
        "card of dvd & co",
        "card of None",
    ]


@pytest.mark.parametrize(("model", "folder"), [("books", "books"), (None, "combined")])
def test_python_example_of_the_card_runs(model, folder, export_folder, monkeypatch, capsys):
    card = render_model_card(make_summary(domains=DOMAINS), model)
    (code,) = re.findall(r"```python\n(.*?)```", card, re.S)
    monkeypatch.chdir(export_folder / folder / "1")
    names = {}
    exec(code, names)
    assert names["answer"]["label"].numpy()[0].decode() in LABELS
    assert capsys.readouterr().out
    # Where it sends those who serve the model.
    assert (Path.cwd() / "../../README.md").is_file()


def test_nothing_is_published_that_a_server_refuses(tmp_path, models, preprocessor, monkeypatch):
    def refuse(folder):
        raise InputError("no")

    monkeypatch.setattr("easymft.export.exporter.check_ops", refuse)
    with pytest.raises(InputError):
        export_run(models, preprocessor, LABELS, DOMAINS, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_names_with_line_breaks_are_refused(tmp_path, models, preprocessor):
    with pytest.raises(InputError, match="`domains`: a line break"):
        export_run(models, preprocessor, LABELS, ["books", "dvd\n& co"], tmp_path)


def test_model_names_are_distinct():
    keys = ["meta-learner", "a b", "a-b", "A B", "combined", "книги", "музыка"]
    names = model_names(keys)
    assert names["meta-learner"] == "meta-learner"
    assert names["a b"] == "a-b"
    assert len({name.lower() for name in names.values()} | {"combined"}) == len(keys) + 1
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in names.values())


def _warmup(folder):
    records = tf.data.TFRecordDataset(str(folder / "assets.extra" / "tf_serving_warmup_requests"))
    return [prediction_log_pb2.PredictionLog.FromString(r) for r in records.as_numpy_iterator()]
