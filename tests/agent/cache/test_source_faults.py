"""What goes wrong on the wire, at every kind of place: what was listed, and what was promised."""

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import web

from llmaz.agent.cache.failures import explained
from llmaz.agent.cache.outcome import FetchFailed
from llmaz.agent.cache.remote import Refused, RemoteFile, Source
from llmaz.agent.cache.sources.every import source_of
from llmaz.agent.cache.store import Store
from llmaz.agent.cache.transfer import Transfer
from llmaz.agent.cache.wire import NetworkError, Wire
from support.downloads import Downloads, Redirect, Stall, Status, WrongBytes
from support.origins import BucketKind, serving_routes
from support.weights import gguf
from support.worlds import OF_OUR_WIRE, WEIGHTS, World

of_our_wire = pytest.mark.parametrize("name", OF_OUR_WIRE)
# Enough that a store is asked for the digest of it.
LARGE = {"model.gguf": gguf(tensors=1, padding=2**20)}
KNOWS_DIGESTS = ("huggingface", "modelscope", "ollama", "google", "gs", "oss", "s3")


def _world(name: str, tmp_path: Path) -> World:
    world = World(name, tmp_path, files=LARGE)
    if isinstance(world.kind, BucketKind):
        world.kind.tells = _digests(LARGE["model.gguf"])[name]
    return world


def _digests(data: bytes) -> dict[str, dict[str, str]]:
    """Return in which headers each store tells what an object is."""
    sha256 = base64.b64encode(hashlib.sha256(data).digest()).decode()
    md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
    return {
        "s3": {"x-amz-checksum-sha256": sha256, "x-amz-checksum-type": "FULL_OBJECT"},
        "gs": {"x-goog-hash": f"crc32c=AAAAAA==,md5={md5}"},
        "oss": {"Content-MD5": md5},
    }


@pytest.mark.parametrize("name", KNOWS_DIGESTS)
async def test_wrong_bytes_are_fetched_again_where_the_source_knows_better(
    name: str, tmp_path: Path
) -> None:
    world = _world(name, tmp_path)
    await world.fetched(WrongBytes())
    assert len(world.downloads.asked) == 2


@pytest.mark.parametrize("name", KNOWS_DIGESTS)
async def test_bytes_that_stay_wrong_are_never_visible(name: str, tmp_path: Path) -> None:
    world = _world(name, tmp_path)
    outcome = await world.failed(WrongBytes(), WrongBytes())
    assert (outcome.reason, outcome.passing) == ("CorruptDownload", True)
    assert list((world.cache / "partial").iterdir()) == []


@of_our_wire
async def test_a_connection_on_which_nothing_moves_is_cut(name: str, tmp_path: Path) -> None:
    world = World(name, tmp_path, files={"model.gguf": WEIGHTS}, downloads=Downloads([Stall(1000)]))
    async with serving_routes(world.kind.routes()) as url:
        source = source_of(world.request(url), world.environ(url))
        found = await asyncio.to_thread(_bring, source, world.cache)
    assert found.read_bytes() == WEIGHTS
    assert len(world.downloads.asked) >= 2


def _bring(source: Source, cache_dir: Path) -> Path:
    store = Store(cache_dir)
    with closing(_wire_of(source)):
        (file,) = source.listing().files
        transfer = Transfer(source, store, _untold, stall_seconds=2.0)
        return store.path(transfer.bring([file], {file.path: "key"})[file.path])


def _wire_of(source: Source) -> Wire:
    wire = getattr(source, "wire", None)
    assert isinstance(wire, Wire)
    return wire


def _untold(_file: RemoteFile, _count: int) -> None:
    """Take no notice of progress."""


@of_our_wire
async def test_a_redirect_to_where_clouds_keep_their_credentials_is_not_followed(
    name: str, tmp_path: Path
) -> None:
    world = World(name, tmp_path, files={"model.gguf": WEIGHTS})
    outcome = await world.failed(Redirect("http://169.254.169.254/latest/meta-data/"))
    assert (outcome.reason, outcome.passing) == ("ForbiddenAddress", False)


@of_our_wire
async def test_redirects_without_end_are_not_followed(name: str, tmp_path: Path) -> None:
    world = World(name, tmp_path, files={"model.gguf": WEIGHTS})
    async with serving_routes([web.get("/again", _again)]) as there:
        outcome = await world.failed(Redirect(f"{there}/again"))
    assert (outcome.reason, outcome.passing) == ("ForbiddenAddress", False)


async def _again(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "/again"})


@of_our_wire
async def test_long_patience_is_left_until_later(name: str, tmp_path: Path) -> None:
    world = World(name, tmp_path, files={"model.gguf": WEIGHTS})
    outcome = await world.failed(Status(429, {"Retry-After": "3600"}))
    assert (outcome.reason, outcome.passing) == ("RateLimited", True)


@of_our_wire
async def test_a_listing_that_goes_wrong_is_tried_again_if_that_may_help(
    name: str, tmp_path: Path
) -> None:
    world = World(name, tmp_path)
    faults = ((500, True), (403, False), (0, True))
    for status, passing in faults[: 2 if name == "web" else 3]:  # its listing is a head alone
        routes = [web.route("*", "/{rest:.*}", _breaking(status))]
        async with serving_routes(routes) as url:
            source = source_of(world.request(url), world.environ(url))
            failure = await asyncio.to_thread(_listing_failure, source)
        assert failure.passing is passing, failure


def _breaking(status: int) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Answer every question with a status; 0: break off in the middle of an answer."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if status:
            return web.Response(status=status)
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"sha":')
        assert request.transport is not None
        request.transport.abort()
        return response

    return answer


def _listing_failure(source: Source) -> FetchFailed:
    with closing(_wire_of(source)):
        try:
            listing = source.listing()
        except Refused as refused:
            return refused.failure
        except NetworkError as error:
            return explained(error, "it")
    raise AssertionError(f"it was listed: {listing}")
