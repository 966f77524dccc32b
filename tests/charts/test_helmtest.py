"""What `helm test` runs, against a gateway that answers."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support.chart import rendered, the

ANSWERS = {"/readyz": b"ok", "/v1/models": json.dumps({"data": [{"id": "smollm2"}]}).encode()}


class Gateway(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answer = ANSWERS[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def gateway() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_it_finds_the_gateway_by_the_variables_of_its_service_alone(gateway: int) -> None:
    pod = the(rendered(), "Pod", "llmaz-test")["spec"]
    assert pod["enableServiceLinks"]
    (container,) = pod["containers"]
    done = subprocess.run(
        [sys.executable, "-c", *container["args"]],
        env={
            "LLMAZ_GATEWAY_SERVICE_HOST": "127.0.0.1",
            "LLMAZ_GATEWAY_SERVICE_PORT": str(gateway),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ready: ok\nmodels: smollm2\n"
