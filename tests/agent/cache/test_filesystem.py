"""What fsspec's drivers read: from a real SFTP server."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.origin import Filesystem, Unsupported, name_of, origin_of
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.request import FetchRequest
from llmaz.agent.cache.sources.filesystem import is_of_credentials
from llmaz.api.source import ModelSource
from support import rooms
from support.freeport import free_port
from support.weights import gguf

PASSWORD = "a-password-that-shows-nowhere"
FILES = {
    "model.gguf": gguf(tensors=2, padding=2**21),
    "tokenizer 1.json": b"{}",
    "deep/er/notes.txt": b"notes",
}


@dataclass(frozen=True)
class Server:
    """`rclone serve sftp` on a folder."""

    host: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("sftp")
    for path, data in FILES.items():
        target = root / "models" / "m" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    log = root.parent / "sftp.log"
    program = Path(sys.executable).parent / "rclone"
    for _ in range(5):  # rclone does not tell which port it got: one that was free is tried
        port = free_port()
        options = ["--addr", f"127.0.0.1:{port}", "--user", "u", "--pass", PASSWORD]
        argv = [str(program), "serve", "sftp", "-v", *options]
        argv += ["--log-file", str(log), str(root)]
        with subprocess.Popen(argv) as process:
            try:
                if _is_up(process, log):
                    yield Server(f"127.0.0.1:{port}")
                    return
            finally:
                process.kill()
    raise AssertionError(f"rclone did not start: {log.read_text()}")


def _is_up(process: "subprocess.Popen[bytes]", log: Path) -> bool:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if re.search(r"listening on", log.read_text() if log.exists() else ""):
            return True
        time.sleep(0.05)
    return False


async def _fetch(url: str, tmp_path: Path, password: str = PASSWORD) -> Fetched | FetchFailed:
    options = json.dumps({"username": "u", "password": password})
    request = FetchRequest(
        origin=Filesystem(url=url),
        cache_dir=str(tmp_path),
        credentials={"STORAGE_OPTIONS": options},
    )
    return await FetchChild(os.environ).fetch(request, lambda _: None, rooms.plenty)


async def test_a_folder_of_a_real_server_comes_whole(server: Server, tmp_path: Path) -> None:
    outcome = await _fetch(f"sftp://{server.host}/models/m", tmp_path)
    assert isinstance(outcome, Fetched), outcome
    root = Path(outcome.path).parent
    assert Path(outcome.path).name == "model.gguf"
    assert {path: (root / path).read_bytes() for path in FILES} == FILES


async def test_one_file_of_a_real_server_is_the_path(server: Server, tmp_path: Path) -> None:
    outcome = await _fetch(f"sftp://{server.host}/models/m/model.gguf", tmp_path)
    assert isinstance(outcome, Fetched), outcome
    assert Path(outcome.path).read_bytes() == FILES["model.gguf"]


async def test_a_wrong_password_is_a_failure_that_does_not_show_it(
    server: Server, tmp_path: Path
) -> None:
    outcome = await _fetch(f"sftp://{server.host}/models/m", tmp_path, "another-password")
    assert isinstance(outcome, FetchFailed)
    assert "another-password" not in outcome.message
    assert outcome.message.startswith(f"sftp://{server.host}/models/m can't be read: ")
    assert (outcome.reason, outcome.passing) == ("Unauthorized", False)


def test_an_error_about_who_asks_is_told_from_others_by_its_name() -> None:
    class ClientAuthenticationError(Exception):
        """As Azure's."""

    assert is_of_credentials(ClientAuthenticationError("no such key"))
    assert not is_of_credentials(ClientAuthenticationError("Authentication timeout."))
    assert not is_of_credentials(EOFError("the server hung up"))


async def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    outcome = await _fetch("sftp://127.0.0.1:1/models/m", tmp_path)
    assert isinstance(outcome, FetchFailed)
    assert (outcome.reason, outcome.passing) == ("NetworkUnreachable", True)
    assert outcome.message.startswith("sftp://127.0.0.1:1/models/m can't be fetched now: ")


async def test_a_place_where_nothing_lies_is_said(server: Server, tmp_path: Path) -> None:
    outcome = await _fetch(f"sftp://{server.host}/models/other", tmp_path)
    assert isinstance(outcome, FetchFailed)
    assert outcome.reason == "FileNotFound"


@pytest.mark.parametrize("host", ["169.254.169.254", "100.100.100.200"])
async def test_a_driver_reaches_no_address_where_clouds_keep_credentials(
    host: str, tmp_path: Path
) -> None:
    outcome = await _fetch(f"sftp://{host}/latest/meta-data", tmp_path)
    assert isinstance(outcome, FetchFailed)
    assert (outcome.reason, outcome.passing) == ("ForbiddenAddress", False)


async def test_a_driver_that_is_not_there_is_named(tmp_path: Path) -> None:
    outcome = await _fetch("hdfs://namenode/models/m", tmp_path)
    assert isinstance(outcome, FetchFailed)
    assert outcome.reason == "DriverMissing"
    assert "llmaz[fsspec]" in outcome.message


@pytest.mark.parametrize(
    "uri", ["memory://x", "local:///etc/passwd", "zip://a::file:///b", "dir://a"]
)
def test_what_reads_the_nodes_own_files_is_no_source(uri: str) -> None:
    assert isinstance(origin_of(ModelSource(uri=uri)), Unsupported)


def test_a_password_in_a_url_is_in_no_name() -> None:
    origin = origin_of(ModelSource(uri="sftp://u:secret@host/models/m"))
    assert isinstance(origin, Filesystem)
    assert name_of(origin) == "sftp://host/models/m"
