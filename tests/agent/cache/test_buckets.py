"""Object stores: signatures are checked by a real S3 server."""

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
from llmaz.agent.cache.origin import Bucket
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.remote import RemoteFile
from llmaz.agent.cache.request import FetchRequest
from llmaz.agent.cache.sources.buckets import Buckets
from llmaz.agent.cache.transfer import SEGMENT_BYTES
from llmaz.agent.cache.wire import Wire
from support import rooms
from support.weights import gguf

KEY_ID, SECRET = "AKIATESTKEY", "secretsecret"
FILES = {
    "model.gguf": gguf(tensors=2, padding=2**21),
    "tokenizer+1 ü.json": b"{}",
    "deep/er/notes~.txt": b"notes",
}
LARGE = gguf(tensors=1, padding=2 * SEGMENT_BYTES)


@dataclass(frozen=True)
class Rclone:
    """`rclone serve s3` on a folder: each folder in it is a bucket."""

    root: Path
    url: str


@pytest.fixture(scope="module")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rclone]:
    root = tmp_path_factory.mktemp("s3")
    for path, data in FILES.items():
        target = root / "bucket" / "models" / "m 1" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    (root / "bucket" / "large.gguf").write_bytes(LARGE)
    log = root.parent / "rclone.log"
    program = Path(sys.executable).parent / "rclone"
    options = ["--auth-key", f"{KEY_ID},{SECRET}", "--addr", "127.0.0.1:0", "--log-file", str(log)]
    with subprocess.Popen([program, "serve", "s3", "-v", *options, str(root)]) as server:
        try:
            yield Rclone(root, _address(log))
        finally:
            server.kill()


def _address(log: Path) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text() if log.exists() else "")
        if found is not None:
            return found.group()
        time.sleep(0.05)
    raise AssertionError(f"rclone did not start: {log.read_text()}")


async def _fetch(server: Rclone, tmp_path: Path, key: str, secret: str) -> Fetched | FetchFailed:
    request = FetchRequest(
        origin=Bucket(scheme="s3", bucket="bucket", key=key),
        cache_dir=str(tmp_path),
        credentials={
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_ENDPOINT_URL": server.url,
        },
    )
    return await FetchChild(os.environ).fetch(request, lambda _: None, rooms.plenty)


async def test_a_folder_of_a_real_store_comes_whole(rclone: Rclone, tmp_path: Path) -> None:
    outcome = await _fetch(rclone, tmp_path, "models/m 1", SECRET)
    assert isinstance(outcome, Fetched), outcome
    entry = Path(outcome.path)
    assert entry.name == "model.gguf"
    assert {path: (entry.parent / path).read_bytes() for path in FILES} == FILES


async def test_one_object_of_a_real_store_is_the_path(rclone: Rclone, tmp_path: Path) -> None:
    outcome = await _fetch(rclone, tmp_path, "models/m 1/model.gguf", SECRET)
    assert isinstance(outcome, Fetched), outcome
    assert Path(outcome.path).read_bytes() == FILES["model.gguf"]


@pytest.mark.parametrize(
    ("endpoint", "style", "url"),
    [
        ("https://store.example", "virtual", "https://bucket.store.example/m/a%20b.gguf?"),
        ("https://store.example", "path", "https://store.example/bucket/m/a%20b.gguf?"),
        ("https://store.example", None, "https://store.example/bucket/m/a%20b.gguf?"),
        (None, None, "https://bucket.s3.eu-west-1.amazonaws.com/m/a%20b.gguf?"),
    ],
)
def test_a_bucket_is_in_the_host_or_in_the_path_as_the_store_wants(
    endpoint: str | None, style: str | None, url: str
) -> None:
    given = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
    given |= {"AWS_ENDPOINT_URL": endpoint} if endpoint else {}
    given |= {"AWS_S3_ADDRESSING_STYLE": style} if style else {}
    origin = Bucket(scheme="s3", bucket="bucket", key="m")
    store = Buckets.of(origin, Wire(), given, {"AWS_REGION": "eu-west-1"})
    address = store.target(RemoteFile(path="a b.gguf", size=1, address="m/a b.gguf")).url
    assert address.startswith(url)
    assert "X-Amz-Signature=" in address
    assert SECRET not in address


async def test_a_wrong_secret_is_refused_and_not_shown(rclone: Rclone, tmp_path: Path) -> None:
    outcome = await _fetch(rclone, tmp_path, "models/m 1", "another-secret")
    assert isinstance(outcome, FetchFailed)
    assert outcome.reason == "Unauthorized"
    assert "another-secret" not in outcome.message


async def test_a_key_under_which_nothing_lies_is_said(rclone: Rclone, tmp_path: Path) -> None:
    outcome = await _fetch(rclone, tmp_path, "models/other", SECRET)
    assert isinstance(outcome, FetchFailed)
    assert outcome.reason == "FileNotFound"


async def test_ranges_of_a_store_that_calls_them_ok_are_taken_for_what_they_are(
    rclone: Rclone, tmp_path: Path
) -> None:
    outcome = await _fetch(rclone, tmp_path, "large.gguf", SECRET)
    assert isinstance(outcome, Fetched), outcome
    assert Path(outcome.path).read_bytes() == LARGE
