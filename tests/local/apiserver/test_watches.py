"""Watches: from a version, of a list that is streamed, and when history is gone."""

import asyncio
import json
import resource
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from llmaz.local.apiserver.database import Database
from llmaz.local.apiserver.store import WINDOW_BYTES, Store
from support.apicalls import Json, config_map, created, got, merged, namespace
from support.controlplane import EmbeddedServer
from support.plane import ControlPlane
from support.recordings import call


@asynccontextmanager
async def _watching(plane: ControlPlane, path: str) -> AsyncIterator[aiohttp.StreamReader]:
    trusted = ssl.create_default_context(cafile=str(plane.authority))
    headers = {"Authorization": f"Bearer {plane.token}"}
    connector = aiohttp.TCPConnector(ssl=trusted)
    async with (
        aiohttp.ClientSession(headers=headers, connector=connector) as session,
        session.get(plane.url + path) as response,
    ):
        assert response.status == 200
        yield response.content


async def _next(stream: aiohttp.StreamReader) -> Json:
    return json.loads(await asyncio.wait_for(stream.readline(), 120))


async def test_a_watch_sees_each_write_as_it_happens(control_plane: ControlPlane) -> None:
    maps = await asyncio.to_thread(namespace, control_plane, "watched")
    start = (await asyncio.to_thread(got, control_plane, maps))["metadata"]["resourceVersion"]
    async with _watching(control_plane, f"{maps}?watch=1&resourceVersion={start}") as stream:
        await asyncio.to_thread(created, control_plane, maps, config_map("one"))
        assert (await _next(stream))["type"] == "ADDED"
        change = {"data": {"a": "b"}}
        await asyncio.to_thread(merged, control_plane, f"{maps}/one", change)
        event = await _next(stream)
        assert (event["type"], event["object"]["data"]) == ("MODIFIED", {"a": "b"})
        await asyncio.to_thread(call, control_plane, "DELETE", f"{maps}/one")
        gone = await _next(stream)
        assert gone["type"] == "DELETED"
        versions = [int(item["object"]["metadata"]["resourceVersion"]) for item in (event, gone)]
        assert versions == sorted(versions)


def test_a_list_is_streamed_and_ends_with_a_bookmark(control_plane: ControlPlane) -> None:
    maps = namespace(control_plane, "streamed")
    for name in ("one", "two"):
        created(control_plane, maps, config_map(name))
    query = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true"
    query += "&resourceVersionMatch=NotOlderThan&timeoutSeconds=1"
    answer = call(control_plane, "GET", f"{maps}?{query}")
    if control_plane.real and "RequestWatchProgress is disabled" in answer.text:
        pytest.skip("lists are streamed by a kube-apiserver whose etcd is 3.4.31, 3.5.13 or newer")
    events = answer.events()
    assert [event["type"] for event in events] == ["ADDED", "ADDED", "BOOKMARK"]
    annotations = events[-1]["object"]["metadata"]["annotations"]
    assert annotations == {"k8s.io/initial-events-end": "true"}


def test_one_object_is_watched_by_its_name_and_only_read_at_its_path(
    control_plane: ControlPlane,
) -> None:
    maps = namespace(control_plane, "single")
    for name in ("one", "two"):
        created(control_plane, maps, config_map(name))
    query = "watch=1&timeoutSeconds=1"
    named = f"{maps}?{query}&fieldSelector=metadata.name%3Done"
    events = call(control_plane, "GET", named).events()
    assert [event["object"]["metadata"]["name"] for event in events] == ["one"]
    assert got(control_plane, f"{maps}/one?{query}")["kind"] == "ConfigMap"


def test_a_watch_from_a_version_of_the_future_brings_nothing_but_its_error(
    control_plane: ControlPlane,
) -> None:
    maps = namespace(control_plane, "future")
    created(control_plane, maps, config_map("one"))
    query = "watch=1&resourceVersion=999999999&timeoutSeconds=1"
    events = call(control_plane, "GET", f"{maps}?{query}").events()
    if control_plane.real and not events:
        return  # it waited for that version, until the end of the watch
    (event,) = events
    assert event["type"] == "ERROR"
    assert event["object"]["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


def _resident_bytes(server: EmbeddedServer) -> int:
    assert server.process is not None
    pages = Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


async def test_watches_that_are_not_read_hold_no_copies(embedded_server: EmbeddedServer) -> None:
    plane = await asyncio.to_thread(embedded_server.start)
    maps = await asyncio.to_thread(namespace, plane, "unread")
    for number in range(8):
        await asyncio.to_thread(created, plane, maps, config_map(f"m{number}", text="x" * 10**6))
    before = _resident_bytes(embedded_server)
    async with AsyncExitStack() as watches:
        streams = [
            await watches.enter_async_context(_watching(plane, f"{maps}?watch=1"))
            for _ in range(20)
        ]
        for stream in streams:  # the first bytes are there, and nobody reads on
            await asyncio.wait_for(stream.readexactly(1), 120)
        assert _resident_bytes(embedded_server) - before < 100_000_000


async def _write(store: Store, count: int, name: str = "x") -> None:
    for number in range(count):
        obj = {"metadata": {"name": name, "uid": "u"}, "number": number}
        await store.put("things", ("", name), obj)


@asynccontextmanager
async def _stored(
    directory: Path, window: int, window_bytes: int = WINDOW_BYTES
) -> AsyncIterator[Store]:
    store = Store(Database(directory), window=window, window_bytes=window_bytes)
    writer = asyncio.create_task(store.run())
    try:
        yield store
    finally:
        store.stop()
        await writer


async def test_history_beyond_the_window_is_forgotten_on_the_disk_as_well(tmp_path: Path) -> None:
    async with _stored(tmp_path, window=10) as store:
        await _write(store, 100)
        floor, newest = store.floor, store.revision
        assert [event.now.obj["number"] for event in store.events("things", floor)] == [
            *range(90, 100)
        ]
    async with _stored(tmp_path, window=10) as store:
        assert (store.floor, store.revision) == (floor, newest)
        assert len(store.events("things", floor)) == 10
        assert store.select("things")[0].obj["number"] == 99
        await _write(store, 1)
    rows, _ = Database(tmp_path).load()
    assert len(rows) <= 12


async def test_large_objects_shorten_the_history(tmp_path: Path) -> None:
    async with _stored(tmp_path, window=100, window_bytes=1000) as store:
        await _write(store, 50)
        remembered = store.events("things", store.floor)
        assert 5 < len(remembered) < 30
        assert remembered[-1].now.revision == store.revision


async def test_an_object_that_is_not_written_for_long_is_kept(tmp_path: Path) -> None:
    async with _stored(tmp_path, window=5) as store:
        await _write(store, 1, "old")
        await _write(store, 50, "busy")
    async with _stored(tmp_path, window=5) as store:
        assert [stored.key[1] for stored in store.select("things")] == ["busy", "old"]


async def test_the_past_can_be_listed_while_history_reaches_it(tmp_path: Path) -> None:
    async with _stored(tmp_path, window=100) as store:
        await _write(store, 1, "a")
        await _write(store, 1, "b")
        then = store.revision
        await _write(store, 1, "c")
        await store.remove("things", ("", "a"))
        assert [item.key[1] for item in store.select_at("things", "", then)] == ["a", "b"]
        assert [item.key[1] for item in store.select("things")] == ["b", "c"]


async def test_a_watch_of_one_name_is_not_woken_by_writes_to_others(tmp_path: Path) -> None:
    async with _stored(tmp_path, window=100) as store:
        one, two, either = (store.changed("things", name) for name in ("one", "two", ""))
        await _write(store, 3, "two")
        assert (one.done(), two.done(), either.done()) == (False, True, True)
        await _write(store, 2, "one")
        assert one.done()
        numbers = [event.now.obj["number"] for event in store.events("things", 0, name="one")]
        assert numbers == [0, 1]


async def test_what_others_write_makes_no_quiet_watch_expire(tmp_path: Path) -> None:
    async with _stored(tmp_path, window=10) as store:
        await store.put("quiet", ("", "x"), {"metadata": {"name": "x", "uid": "u"}})
        seen = store.revision
        await _write(store, 100)
        assert store.floor_of("quiet") <= seen < store.floor
        assert store.floor_of("things") == store.floor
