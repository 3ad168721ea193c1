"""Exports into a repository, by a server that speaks the calls of the Hugging Face hub."""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub.constants
import pytest
from huggingface_hub import HfApi

from easymft.errors import InputError
from easymft.export.push import push

TOKEN = "hf_of_somebody"


class Hub:
    """Keeps one repository in memory; small files come in the commit, others by Git LFS.

    Attributes:
        api: A client of it.
        repositories: Whether each that was made is private, by name.
        files: Content by path.
    """

    def __init__(self):
        self.repositories, self.files, self.objects = {}, {}, {}
        self.refused = False
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.api = HfApi(endpoint=self.url, token=TOKEN)

    def answer(self, path, body):
        """Status and answer of a request."""
        if self.refused:
            return 403, {"error": "not your repository"}
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            # As earlier and as later clients ask for it.
            private = asked.get("private") or asked.get("visibility") == "private"
            self.repositories[name] = private
            return 200, {"url": f"{self.url}/{name}", "name": name}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if "/preupload/" in path:
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if "variables/" in file["path"] else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(body)["files"]
            ]
            return 200, {"files": files}
        if path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                {**one, "actions": {"upload": {"href": f"{self.url}/objects/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]
            return 200, {"transfer": "basic", "objects": objects}
        if path.startswith("/objects/"):
            self.objects[path.removeprefix("/objects/")] = body
            return 200, {}
        if "/commit/" in path:
            for line in map(json.loads, body.decode().splitlines()):
                self._keep(line["key"], line["value"])
            return 200, {"commitOid": "1", "commitUrl": f"{self.url}/me/reviews/commit/1"}
        return 404, {"error": f"no {path}"}

    def _keep(self, kind, value):
        if kind == "file":
            self.files[value["path"]] = base64.b64decode(value["content"])
        if kind == "lfsFile":
            self.files[value["path"]] = self.objects[value["oid"]]

    def _handler(hub):  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                length, body = self.headers.get("Content-Length"), b""
                if length is None:
                    while size := int(self.rfile.readline(), 16):  # a body in chunks
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                body = body if length is None else self.rfile.read(int(length))
                status, answer = hub.answer(re.sub(r"\?.*", "", self.path), body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_PUT = do_POST  # noqa: N815

            def log_message(self, *given):
                pass

        return Handler


@pytest.fixture
def hub(monkeypatch):
    # Its own protocol for large files is the client's and the hub's business.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    hub = Hub()
    threading.Thread(target=hub.server.serve_forever, daemon=True).start()
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


@pytest.fixture
def export(tmp_path):
    """The files of an exported model, as far as nobody loads them."""
    version = tmp_path / "export/combined/2"
    contents = {
        "README.md": "---\nlibrary_name: keras\ntags:\n- easymft\n---\n# reviews\n",
        "saved_model.pb": "graph",
        "variables/variables.index": "weights",
        "assets.extra/labels.txt": "bad\ngood\n",
        "assets.extra/made_from.json": "{}",
    }
    for name, content in contents.items():
        (version / name).parent.mkdir(parents=True, exist_ok=True)
        (version / name).write_text(content)
    return version


def test_a_model_and_its_card_go_into_a_private_repository(hub, export):
    pushed = push(export.parents[1], "me/reviews", api=hub.api)
    assert hub.repositories == {"me/reviews": True}
    own = {path: (export / path).read_bytes() for path in pushed.files}
    assert hub.files == own
    assert pushed.files.keys() >= {"README.md", "saved_model.pb", "variables/variables.index"}
    assert "assets.extra/made_from.json" not in pushed.files
    digest = hashlib.sha256(b"weights").hexdigest()
    assert list(hub.objects) == [digest]
    assert pushed.lines()[0] == "4 files of 0.0 MB went into me/reviews:"
    assert pushed.lines()[-1] == f"Commit: {hub.url}/me/reviews/commit/1"


def test_a_dry_run_sends_nothing(hub, export):
    pushed = push(export.parents[1], "me/reviews", dry_run=True, api=hub.api)
    assert "  saved_model.pb, 5 bytes" in pushed.lines()
    assert pushed.lines()[0] == "4 files of 0.0 MB would go into me/reviews:"
    assert (hub.repositories, hub.files) == ({}, {})


@pytest.mark.parametrize("name", [None, "", "reviews", "me/", "/reviews"])
def test_a_repository_has_an_owner(export, name):
    with pytest.raises(InputError, match="`--name`: must be OWNER/NAME"):
        push(export, name)


def test_what_the_hub_refuses_is_one_line(hub, export):
    hub.refused = True
    with pytest.raises(InputError, match=r"`--name`: the hub refuses it \(.*HF_TOKEN") as caught:
        push(export.parents[1], "me/reviews", api=hub.api)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="the hub refuses it"):
        push(export.parents[1], "me/re views", api=hub.api)


def test_a_model_without_a_card_is_not_pushed(export):
    (export / "README.md").unlink()
    with pytest.raises(InputError, match="has no model card"):
        push(export.parents[1], "me/reviews")
