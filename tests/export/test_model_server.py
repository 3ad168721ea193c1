"""Requests as TensorFlow Serving's clients send them, through the real protos and stubs."""

import base64
import json
import shutil
import threading
import time
import urllib.error
import urllib.request

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from easymft.export.exporter import export_run
from tests.export.conftest import DOMAINS, LABELS, expected, make_model
from tests.export.model_server import ModelServer

pytestmark = pytest.mark.slow

TEXTS = ["good", "the CAFÉ is bad!", ""]
ROUTES = ["books", "dvd & co", "unknown"]
CLIENTS, ANSWERS, SECONDS = 8, 100, 60
PAUSE = 0.02  # between two requests of a client, or the export would have no processor


@pytest.fixture(scope="module")
def folder(export_folder, tmp_path_factory):
    """A copy, to which a test adds versions."""
    return shutil.copytree(export_folder, tmp_path_factory.mktemp("served") / "export")


@pytest.fixture(scope="module")
def server(folder):
    with ModelServer(folder, ["combined", "books"]) as server:
        yield server


@pytest.fixture(scope="module")
def golden(models, preprocessor):
    names = ("books", "dvd & co", "meta-learner")
    return np.concatenate(
        [expected(models[n], preprocessor, [t]) for n, t in zip(names, TEXTS, strict=True)]
    )


def post(server, path, body):
    request = urllib.request.Request(server.rest + path, json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def predict_request(texts, routes, version=0, signature=""):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "combined"
    request.model_spec.signature_name = signature
    if version:
        request.model_spec.version.value = version
    request.inputs["text"].CopyFrom(tf.make_tensor_proto(texts, tf.string))
    request.inputs["domain"].CopyFrom(tf.make_tensor_proto(routes, tf.string))
    return request


def test_rest_by_row_and_by_column(server, golden):
    rows = [{"text": t, "domain": d} for t, d in zip(TEXTS, ROUTES, strict=True)]
    by_row = post(server, "/v1/models/combined:predict", {"instances": rows})["predictions"]
    columns = {"text": TEXTS, "domain": ROUTES}
    by_column = post(server, "/v1/models/combined:predict", {"inputs": columns})["outputs"]
    np.testing.assert_allclose([row["probabilities"] for row in by_row], golden, atol=1e-5)
    np.testing.assert_allclose(by_column["probabilities"], golden, atol=1e-5)
    labels = [LABELS[code] for code in golden.argmax(1)]
    assert [row["label"] for row in by_row] == by_column["label"] == labels


def test_rest_takes_bytes_that_are_no_text(server):
    row = {"text": {"b64": base64.b64encode(b"good \xff").decode()}, "domain": ""}
    (answer,) = post(server, "/v1/models/combined:predict", {"instances": [row]})["predictions"]
    assert sum(answer["probabilities"]) == pytest.approx(1.0, abs=1e-5)


def test_rest_classify(server, models, preprocessor):
    body = {"signature_name": "classify", "examples": [{"text": "good"}]}
    (result,) = post(server, "/v1/models/books:classify", body)["results"]
    probabilities = expected(models["books"], preprocessor, ["good"])[0]
    assert [name for name, _ in result] == list(LABELS)
    np.testing.assert_allclose([score for _, score in result], probabilities, atol=1e-5)


def test_rest_errors(server):
    for path, body, status in (
        ("/v1/models/none:predict", {"instances": []}, 404),
        ("/v1/models/combined:predict", {"inputs": {"txt": ["a"]}}, 400),
    ):
        with pytest.raises(urllib.error.HTTPError) as error:
            post(server, path, body)
        assert error.value.code == status


def test_grpc(server, golden):
    with grpc.insecure_channel(server.grpc) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        answer = stub.Predict(predict_request(TEXTS, ROUTES), timeout=30)
        probabilities = tf.make_ndarray(answer.outputs["probabilities"])
        np.testing.assert_allclose(probabilities, golden, atol=1e-5)
        answer = stub.Predict(predict_request(TEXTS, ROUTES, signature="embed"), timeout=30)
        assert tf.make_ndarray(answer.outputs["embedding"]).shape == (3, 8)
        request = classification_pb2.ClassificationRequest()
        request.model_spec.name = "combined"
        request.model_spec.signature_name = "classify"
        for text, route in zip(TEXTS, ROUTES, strict=True):
            features = request.input.example_list.examples.add().features.feature
            features["text"].bytes_list.value.append(text.encode())
            features["domain"].bytes_list.value.append(route.encode())
        answer = stub.Classify(request, timeout=30)
        scores = [[c.score for c in row.classes] for row in answer.result.classifications]
        np.testing.assert_allclose(scores, golden, atol=1e-5)


def test_new_versions_under_load(server, folder, golden, models, preprocessor):
    """No request fails, and none is answered by one version in part and another in part."""
    newer = {name: make_model(seed + 50) for seed, name in enumerate(models)}
    golden_by_version = {
        1: golden,
        2: np.concatenate(
            [
                expected(newer[n], preprocessor, [t])
                for n, t in zip(("books", "dvd & co", "meta-learner"), TEXTS, strict=True)
            ]
        ),
    }
    assert np.abs(golden_by_version[1] - golden_by_version[2]).max() > 1e-2
    seen, faults = {1: 0, 2: 0}, []
    lock, stop = threading.Lock(), threading.Event()

    def client():
        with grpc.insecure_channel(server.grpc) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            while not stop.wait(PAUSE):
                try:
                    answer = stub.Predict(predict_request(TEXTS, ROUTES), timeout=60)
                    version = answer.model_spec.version.value
                    probabilities = tf.make_ndarray(answer.outputs["probabilities"])
                    np.testing.assert_allclose(probabilities, golden_by_version[version], atol=1e-5)
                except (grpc.RpcError, AssertionError, KeyError) as fault:
                    with lock:
                        faults.append(fault)
                else:
                    with lock:
                        seen[version] += 1

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in clients:
        thread.start()
    export_run(newer, preprocessor, LABELS, DOMAINS, folder)
    deadline = time.monotonic() + SECONDS
    while seen[2] < ANSWERS and not faults and time.monotonic() < deadline:
        time.sleep(0.1)
    stop.set()
    for thread in clients:
        thread.join()
    assert faults == []
    assert seen[1] > 0
    assert seen[2] >= ANSWERS
    # The older version is still there for who names it.
    with grpc.insecure_channel(server.grpc) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        answer = stub.Predict(predict_request(TEXTS, ROUTES, version=1), timeout=30)
    probabilities = tf.make_ndarray(answer.outputs["probabilities"])
    np.testing.assert_allclose(probabilities, golden, atol=1e-5)
