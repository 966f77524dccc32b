"""What `llmaz cache pull` is asked for, and a pull of a real file from a real server."""

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from llmaz.agent.cache.limits import Limits, write_limits
from llmaz.api.source import Hub, ModelHub, ModelSource
from llmaz.cli.errors import CliError
from llmaz.cli.pulling import HubName, source_named
from support.weights import gguf


def test_a_name_without_a_slash_is_an_open_model() -> None:
    assert source_named("qwen", None) is None


def test_a_repository_may_carry_its_revision() -> None:
    hub = ModelHub(model_id="acme/tiny", revision="v1", filename="a.gguf")
    assert source_named("acme/tiny@v1", "a.gguf") == ModelSource(model_hub=hub)


def test_a_repository_may_be_of_the_other_hub() -> None:
    source = source_named("acme/tiny", None, HubName.MODELSCOPE)
    assert source == ModelSource(model_hub=ModelHub(name=Hub.MODELSCOPE, model_id="acme/tiny"))


def test_nothing_is_no_name() -> None:
    with pytest.raises(CliError, match="name an OpenModel"):
        source_named(" ", None)


def test_a_uri_is_taken_as_it_is() -> None:
    assert source_named("s3://bucket/key", None) == ModelSource(uri="s3://bucket/key")


class _OneFile(BaseHTTPRequestHandler):
    """Serves a GGUF file under every name, whole: it knows no ranges."""

    data = gguf()
    asked = 0

    def do_HEAD(self) -> None:  # the name that http.server calls
        self._head()

    def do_GET(self) -> None:  # the name that http.server calls
        type(self).asked += 1
        self._head()
        self.wfile.write(self.data)

    def _head(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.data)))
        self.send_header("ETag", '"one"')
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
        """Say nothing."""


def _pull(home: Path, uri: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        (sys.executable, "-m", "llmaz.cli", "cache", "pull", uri),
        env={**os.environ, "LLMAZ_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def test_what_was_pulled_once_is_there_for_the_next_one(tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _OneFile)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        uri = f"http://127.0.0.1:{server.server_port}/tiny.gguf"
        first = _pull(tmp_path, uri)
        assert first.returncode == 0, first.stderr
        asked = _OneFile.asked
        assert Path(first.stdout.strip()).read_bytes() == gguf()
        assert _pull(tmp_path, uri).stdout == first.stdout
        assert _OneFile.asked == asked
    finally:
        server.shutdown()
        server.server_close()


def test_the_quota_that_the_agent_was_given_holds_for_a_pull(tmp_path: Path) -> None:
    write_limits(tmp_path / "cache", Limits(quota=len(gguf()) // 2))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _OneFile)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        answer = _pull(tmp_path, f"http://127.0.0.1:{server.server_port}/tiny.gguf")
        assert answer.returncode == 1
        assert "NoSpace: there is no room for" in " ".join(answer.stderr.split())
    finally:
        server.shutdown()
        server.server_close()


def test_why_nothing_came_is_one_sentence(tmp_path: Path) -> None:
    answer = _pull(tmp_path, f"host://{tmp_path}/none")
    assert answer.returncode == 1
    assert answer.stderr.strip().endswith(f"there is no {tmp_path}/none on this node")
