"""Alibaba's OSS: signatures are judged by a stand-in that the store's own client agrees with."""

import asyncio
import os
from pathlib import Path

import oss2  # type: ignore[import-untyped]  # it has no types
import pytest

from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.origin import Bucket
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.request import FetchRequest
from llmaz.agent.cache.sources.signing import region_of_oss
from support import rooms
from support.origins import serving_routes
from support.oss import KEY_ID, REGION, SECRET, SESSION, OssBucket
from support.weights import gguf

FILES = {
    "m 1/model.gguf": gguf(tensors=2, padding=2**21),
    "m 1/tokenizer+1 ü.json": b"{}",
    "m 1/deep/er/notes~.txt": b"notes",
}
PLAIN = {"OSS_ACCESS_KEY_ID": KEY_ID, "OSS_ACCESS_KEY_SECRET": SECRET}


def _by_the_client(url: str, version: int) -> dict[str, bytes]:
    auth = oss2.AuthV4(KEY_ID, SECRET) if version == 4 else oss2.Auth(KEY_ID, SECRET)
    region = REGION if version == 4 else None
    bucket = oss2.Bucket(auth, url, "bucket", is_path_style=True, region=region)
    keys = [entry.key for entry in oss2.ObjectIterator(bucket, prefix="m 1/")]
    by_address = bucket.sign_url("GET", keys[0], 60, slash_safe=True)
    assert bucket.get_object_with_url(by_address).read() == FILES[keys[0]]
    return {key: bucket.get_object(key).read() for key in keys}


@pytest.mark.parametrize("version", [1, 4])
async def test_the_stand_in_takes_what_the_stores_own_client_signs(version: int) -> None:
    store = OssBucket(FILES)
    async with serving_routes(store.routes()) as url:
        assert await asyncio.to_thread(_by_the_client, url, version) == FILES
    assert store.versions == {version}


async def _fetch(url: str, tmp_path: Path, given: dict[str, str]) -> Fetched | FetchFailed:
    endpoint = url.partition("://")[2]
    request = FetchRequest(
        origin=Bucket(scheme="oss", bucket="bucket", key="m 1", endpoint=endpoint),
        cache_dir=str(tmp_path),
        credentials=given,
    )
    return await FetchChild(os.environ).fetch(request, lambda _: None, rooms.plenty)


@pytest.mark.parametrize(
    ("given", "version"),
    [
        (PLAIN, 1),
        ({**PLAIN, "OSS_SESSION_TOKEN": SESSION}, 1),
        ({**PLAIN, "OSS_REGION": REGION}, 4),
        ({**PLAIN, "OSS_REGION": REGION, "OSS_SESSION_TOKEN": SESSION}, 4),
    ],
)
async def test_the_store_takes_both_versions_of_the_agents_signature(
    given: dict[str, str], version: int, tmp_path: Path
) -> None:
    store = OssBucket(FILES)
    async with serving_routes(store.routes()) as url:
        outcome = await _fetch(url, tmp_path, given)
    assert isinstance(outcome, Fetched), outcome
    root = Path(outcome.path).parent
    assert {f"m 1/{path}": (root / path).read_bytes() for path in _below(root)} == FILES
    assert store.versions == {version}


def _below(root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]


@pytest.mark.parametrize("region", ["", REGION, "cn-beijing"])
async def test_a_wrong_secret_or_region_is_refused_and_not_shown(
    region: str, tmp_path: Path
) -> None:
    wrong = SECRET if region == "cn-beijing" else "another-secret"
    given = {**PLAIN, "OSS_ACCESS_KEY_SECRET": wrong, "OSS_REGION": region}
    async with serving_routes(OssBucket(FILES).routes()) as url:
        outcome = await _fetch(url, tmp_path, given)
    assert isinstance(outcome, FetchFailed)
    assert outcome.reason == "Unauthorized"
    assert wrong not in outcome.message


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("oss-cn-hangzhou.aliyuncs.com", "cn-hangzhou"),
        ("oss-ap-southeast-1-internal.aliyuncs.com", "ap-southeast-1"),
        ("oss-accelerate.aliyuncs.com", ""),
        ("oss-accelerate-overseas.aliyuncs.com", ""),
        ("oss.example.com", ""),
    ],
)
def test_a_host_of_the_store_tells_its_region(host: str, region: str) -> None:
    assert region_of_oss(host) == region
