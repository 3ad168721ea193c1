import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml
from google.protobuf import text_format
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from easymft.errors import InputError
from easymft.export import export_run, exporter
from easymft.export.deployment import read_models_config, superseded
from easymft.export.exporter import model_names
from easymft.export.text_input import padded_lengths
from easymft.export.version_folder import versions
from easymft.export.warmup import write_warmup_requests
from easymft.files import TEMPORARY
from easymft.report.model_card import render_model_card
from tests.export.conftest import DOMAINS, LABELS, make_preprocessor
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


@pytest.mark.long
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


@pytest.mark.parametrize("pair", [False, True])
def test_warmup_requests_have_every_length(tmp_path, pair):
    preprocessor, met = make_preprocessor(40), set()
    lengths = padded_lengths(40)
    write_warmup_requests(tmp_path, "books", pair=pair, domains=None, lengths=lengths)
    for log in _warmup(tmp_path):
        if log.HasField("predict_log"):
            columns = [
                tf.make_ndarray(log.predict_log.request.inputs[name]).tolist()
                for name in ("text", "text_pair")[: 1 + pair]
            ]
            mask = np.asarray(preprocessor(x=tuple(columns))["padding_mask"])
            longest = mask.sum(axis=1).max()
            width = next(length for length in lengths if length >= longest)
            met.add((len(columns[0]), width))
    assert met >= {(size, length) for size in (1, 32) for length in lengths}


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


@pytest.mark.long
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


@pytest.fixture
def quick(monkeypatch, export_folder, preprocessor):
    """An export of models that are names only: every graph is a copy of one made before."""

    def copy(folder, models, *_, **settings):
        shutil.copytree(export_folder / "books" / "1", folder)

    monkeypatch.setattr(exporter, "write_saved_model", copy)

    def run(folder, sources, models=None, labels=LABELS, **settings):
        models = dict.fromkeys(sources) if models is None else models
        paths = export_run(
            models, preprocessor, labels, DOMAINS, folder, sources=sources, **settings
        )
        return [path.relative_to(folder).as_posix() for path in paths]

    return run


@pytest.mark.long
def test_an_export_of_other_models_is_a_second_version(tmp_path, quick):
    assert quick(tmp_path, {"meta-learner": "a"}) == ["meta-learner/1", "combined/1"]
    assert quick(tmp_path, {"meta-learner": "b"}) == ["meta-learner/2", "combined/2"]
    assert "combined/2" in (tmp_path / "README.md").read_text()


@pytest.mark.long
def test_an_export_of_the_same_models_is_the_same_version(tmp_path, quick, caplog):
    class Unread(Mapping):
        """Models that must not be loaded."""

        def __iter__(self):
            return iter(("meta-learner", "books"))

        def __len__(self):
            return 2

        def __getitem__(self, key):
            raise AssertionError(key)

    first = {"meta-learner": "a", "books": "b"}
    quick(tmp_path, first, card=lambda key: f"card of {key}")
    with caplog.at_level("INFO", "easymft"):
        paths = quick(tmp_path, first, Unread(), card=lambda key: f"new card of {key}")
    assert paths == ["meta-learner/1", "books/1", "combined/1"]
    assert "3 of 3 models were exported before" in caplog.text
    assert (tmp_path / "books/1/README.md").read_text() == "new card of books"
    # One domain's model was trained anew; then a label is called otherwise.
    paths = quick(tmp_path, {**first, "books": "c"})
    assert paths == ["meta-learner/1", "books/2", "combined/2"]
    paths = quick(tmp_path, {**first, "books": "c"}, labels=("a", "b", "c"))
    assert paths == ["meta-learner/2", "books/3", "combined/3"]


@pytest.mark.long
def test_without_sources_every_export_is_a_version(tmp_path, quick):
    models = {"books": None}
    assert quick(tmp_path, None, models) == ["books/1", "combined/1"]
    assert quick(tmp_path, None, models) == ["books/2", "combined/2"]
    assert quick(tmp_path, {"books": "a"}) == ["books/3", "combined/3"]


@pytest.mark.long
def test_an_interrupted_export_goes_on_with_what_is_missing(tmp_path, quick, monkeypatch):
    sources = {"meta-learner": "a", "books": "b", "music": "c"}
    write, written = exporter.write_saved_model, []

    def killed_at_the_second(folder, *arguments, **settings):
        write(folder, *arguments, **settings)
        written.append(folder.parent.name)
        if len(written) == 2:
            # As SIGKILL leaves it: no clean-up, the staged folder stays.
            shutil.copytree(folder, folder.with_name(f"{TEMPORARY}killed"))
            raise KeyboardInterrupt

    monkeypatch.setattr(exporter, "write_saved_model", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        quick(tmp_path, sources)
    assert list(tmp_path.rglob(f"{TEMPORARY}*"))
    paths = quick(tmp_path, sources)
    assert paths == ["meta-learner/1", "books/1", "music/1", "combined/1"]
    assert written == ["meta-learner", "books", "books", "music", "combined"]
    assert not list(tmp_path.rglob(f"{TEMPORARY}*"))


@pytest.mark.long
def test_a_damaged_version_is_exported_again(tmp_path, quick):
    quick(tmp_path, {"books": "a"})
    weights = tmp_path / "books/1/variables/variables.data-00000-of-00001"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert quick(tmp_path, {"books": "a"}) == ["books/2", "combined/1"]


@pytest.mark.long
def test_models_are_held_one_at_a_time(tmp_path, quick):
    alive = set()

    class Model:
        def __init__(self, name):
            self.name = name
            alive.add(name)

        def __del__(self):
            alive.discard(self.name)

    class Loaded(dict):
        def __getitem__(self, key):
            assert not alive
            return Model(key)

    names = ("meta-learner", "books", "music")
    quick(tmp_path, {name: name for name in names}, Loaded(dict.fromkeys(names)))
    assert not alive


@pytest.mark.long
def test_superseded_versions_go_but_none_that_a_server_may_read(tmp_path, quick):
    def export(number, **settings):
        return quick(tmp_path, {"books": str(number)}, **settings)

    for number in range(1, 4):
        export(number)
    assert versions(tmp_path / "books") == [1, 2, 3]  # removing them must be asked for
    export(4, remove_superseded=True)
    assert versions(tmp_path / "books") == versions(tmp_path / "combined") == [3, 4]
    # The user pins a version of one model.
    config = (tmp_path / "models.config").read_text()
    config = config.replace(
        'model_platform: "tensorflow"',
        'model_platform: "tensorflow" model_version_policy { specific { versions: 3 } }',
        1,
    )
    (tmp_path / "models.config").write_text(config)
    for number in range(5, 8):
        export(number, remove_superseded=True)
    assert versions(tmp_path / "books") == [3, 6, 7]
    assert versions(tmp_path / "combined") == [6, 7]
    assert "specific" in (tmp_path / "models.config").read_text()


@pytest.mark.parametrize(
    ("policy", "gone"),
    [
        ("", [1, 2, 3]),
        ("latest { num_versions: 1 }", [1, 2, 3]),
        ("latest { num_versions: 3 }", [1]),
        ("all { }", []),
        ("specific { versions: 1 versions: 9 }", [2, 3]),
    ],
)
def test_versions_that_the_servers_policy_asks_for(tmp_path, policy, gone):
    config = f"""model_config_list {{ config {{
        name: "a name of one's own" base_path: "/models/books/"
        model_version_policy {{ {policy} }}
    }} }}"""
    (tmp_path / "models.config").write_text(config)
    assert superseded(read_models_config(tmp_path), "books", [1, 2, 3, 7, 8]) == gone


def test_a_configuration_that_cannot_be_read_stops_before_anything_is_written(tmp_path, quick):
    (tmp_path / "models.config").write_text("model_config_list {")
    with pytest.raises(InputError, match=r"models.config: is no ModelServerConfig \(1:"):
        quick(tmp_path, {"books": "a"})
    assert [path.name for path in tmp_path.iterdir()] == ["models.config"]


@pytest.mark.long
def test_every_model_has_its_card(tmp_path, quick):
    sources = {"meta-learner": "a", "dvd & co": "b"}
    paths = quick(tmp_path, sources, card=lambda key: f"card of {key}")
    assert [(tmp_path / path / "README.md").read_text("utf-8") for path in paths] == [
        "card of meta-learner",
        "card of dvd & co",
        "card of None",
    ]


@pytest.mark.long
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


@pytest.mark.long
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
