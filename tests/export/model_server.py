"""A small server with TensorFlow Serving's REST and gRPC interfaces, for tests on one machine.

Like the real one it polls the models' folders for integer names, loads a new version and replays
its warm-up requests before it switches, and answers each request from one version.
"""

import base64
import json
import re
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import tensorflow as tf
import tensorflow_text  # noqa: F401 (registers ops)
from tensorflow_serving.apis import (
    classification_pb2,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

from easymft.export.version_folder import versions

ROUTE = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?:(predict|classify)")


class Model:
    """The loaded versions of one model; the newest answers unless a request names another."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.loaded = {}

    def poll(self):
        for number in versions(self.folder):
            if number not in self.loaded:
                model = tf.saved_model.load(str(self.folder / str(number)))
                warm_up(model, self.folder / str(number))
                self.loaded = {**self.loaded, number: model}

    def get(self, number: int = 0):
        loaded = self.loaded
        number = number or max(loaded)
        return number, loaded[number]


def warm_up(model, folder):
    file = folder / "assets.extra" / "tf_serving_warmup_requests"
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        if log.HasField("predict_log"):
            predict(model, log.predict_log.request)
        else:
            classify(model, log.classify_log.request)


def run(model, signature, inputs):
    function = model.signatures[signature or "serving_default"]
    return {name: value.numpy() for name, value in function(**inputs).items()}


def predict(model, request):
    inputs = {name: tf.constant(tf.make_ndarray(v)) for name, v in request.inputs.items()}
    return run(model, request.model_spec.signature_name, inputs)


def classify(model, request):
    examples = [e.SerializeToString() for e in request.input.example_list.examples]
    return run(model, request.model_spec.signature_name, {"inputs": tf.constant(examples)})


class ModelServer(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Serves the models of an export folder on free ports of this machine.

    Attributes:
        rest: Address of the REST interface.
        grpc: Address of the gRPC interface.
    """

    def __init__(self, export_folder: Path, models: list[str], poll_seconds: float = 1.0):
        self.models = {name: Model(export_folder / name) for name in models}
        self._poll()
        self._stop = threading.Event()
        self._poller = threading.Thread(target=self._poll_forever, args=(poll_seconds,))
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._grpc = grpc.server(futures.ThreadPoolExecutor(8))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(self, self._grpc)
        self.grpc = f"127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"
        self.rest = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self):
        self._poller.start()
        self._grpc.start()
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        self._poller.join()
        self._http.shutdown()
        self._http.server_close()
        self._grpc.stop(None).wait()

    def _poll(self):
        for model in self.models.values():
            model.poll()

    def _poll_forever(self, seconds):
        while not self._stop.wait(seconds):
            self._poll()

    def Predict(self, request, context):  # noqa: N802 (the service's name)
        number, model = self._find(request.model_spec, context)
        response = predict_pb2.PredictResponse()
        response.model_spec.CopyFrom(request.model_spec)
        response.model_spec.version.value = number
        for name, value in predict(model, request).items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response

    def Classify(self, request, context):  # noqa: N802
        number, model = self._find(request.model_spec, context)
        answer = classify(model, request)
        response = classification_pb2.ClassificationResponse()
        response.model_spec.version.value = number
        for names, scores in zip(answer["classes"], answer["scores"], strict=True):
            row = response.result.classifications.add()
            for name, score in zip(names, scores, strict=True):
                row.classes.add(label=name, score=score)
        return response

    def _find(self, spec, context):
        if spec.name not in self.models:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found: {spec.name}")
        return self.models[spec.name].get(spec.version.value)

    def rest_answer(self, path, body):
        """Status and JSON of a POST."""
        match = ROUTE.fullmatch(path)
        if not match or match[1] not in self.models:
            return 404, {"error": "not found"}
        _, model = self.models[match[1]].get(int(match[2] or 0))
        signature = body.get("signature_name")
        if match[3] == "classify":
            answer = run(model, signature, {"inputs": tf.constant(_examples(body["examples"]))})
            rows = zip(_plain(answer["classes"]), _plain(answer["scores"]), strict=True)
            return 200, {"results": [list(zip(*row, strict=True)) for row in rows]}
        rows = "instances" in body
        columns = body["inputs"] if not rows else _columns(body["instances"])
        inputs = {
            name: tf.constant([_bytes(v) for v in values]) for name, values in columns.items()
        }
        answer = {name: _plain(value) for name, value in run(model, signature, inputs).items()}
        if len(answer) == 1:
            (values,) = answer.values()
            return 200, {"predictions" if rows else "outputs": values}
        if not rows:
            return 200, {"outputs": answer}
        count = len(next(iter(answer.values())))
        each = [{name: values[row] for name, values in answer.items()} for row in range(count)]
        return 200, {"predictions": each}


def _columns(instances):
    return {name: [row[name] for row in instances] for name in instances[0]}


def _examples(rows):
    def feature(value):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[_bytes(value)]))

    return [
        tf.train.Example(
            features=tf.train.Features(feature={name: feature(v) for name, v in row.items()})
        ).SerializeToString()
        for row in rows
    ]


def _bytes(value):
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value.encode()


def _plain(array):
    if array.dtype != object:
        return array.tolist()
    return [_plain(value) if hasattr(value, "dtype") else value.decode() for value in array]


def _handler(server):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                status, answer = server.rest_answer(self.path, body)
            except (KeyError, TypeError, ValueError, tf.errors.OpError) as error:
                status, answer = 400, {"error": str(error)}
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            """Quiet."""

    return Handler
