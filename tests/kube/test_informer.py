import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from llmaz.api.kinds import OPEN_MODEL
from llmaz.kube import Informer, Kube, Unavailable
from llmaz.kube.informer import pause
from support.kubeserver import Event, Script, listing, serving, thing

PATIENCE_SECONDS = 120.0


@asynccontextmanager
async def informing(script: Script, tmp_path: Path) -> AsyncIterator[Informer]:
    async with serving(script, tmp_path) as kubeconfig, await Kube.connect(kubeconfig) as kube:
        informer = Informer(kube, OPEN_MODEL, changed=asyncio.Event())
        task = asyncio.create_task(informer.run())
        try:
            yield informer
        finally:
            task.cancel()


def names(informer: Informer) -> list[str]:
    return sorted(name for _, name in informer.objects)


async def wait_for(informer: Informer, *wanted: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not informer.synced or names(informer) != sorted(wanted):
            await asyncio.sleep(0.01)


async def wait_for_requests(script: Script, count: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(script.asked) < count:
            await asyncio.sleep(0.01)


async def test_objects_are_listed_then_followed(tmp_path: Path) -> None:
    script = Script(
        [listing(5, thing("a", 3))],
        [[Event("ADDED", thing("b", 6)), Event("DELETED", thing("a", 7))]],
    )
    async with informing(script, tmp_path) as informer:
        await wait_for(informer, "b")
        assert informer.objects[("", "b")] == {"metadata": {"name": "b", "resourceVersion": "6"}}


async def test_a_broken_watch_resumes_where_it_broke(tmp_path: Path) -> None:
    script = Script(
        [listing(5, thing("a", 3))],
        [
            [Event("ADDED", thing("b", 6)), Event("BOOKMARK", thing("", 9))],
            [],
            [Event("ADDED", thing("c", 12))],
        ],
    )
    async with informing(script, tmp_path) as informer:
        await wait_for(informer, "a", "b", "c")
    versions = [query.get("resourceVersion") for query in script.asked if "watch" in query]
    assert versions[:3] == ["5", "9", "9"]
    assert sum("watch" not in query for query in script.asked) == 1


async def test_a_version_that_is_too_old_leads_to_a_new_list(tmp_path: Path) -> None:
    gone = Event("ERROR", {"code": 410, "message": "too old resource version"})
    script = Script(
        [listing(5, thing("a", 3)), listing(9, thing("c", 8)), listing(11, thing("d", 10))],
        [[gone], [Event("HTTP 410", {})]],
    )
    async with informing(script, tmp_path) as informer:
        await wait_for(informer, "d")


async def test_what_was_known_counts_no_more_once_a_new_list_is_wanted(tmp_path: Path) -> None:
    script = Script([listing(5, thing("a", 3)), listing(9, thing("b", 8))], [])
    async with informing(script, tmp_path) as informer:
        await wait_for(informer, "a")
        await wait_for_requests(script, 2)  # the watch is open, and tells nothing
        informer.list_anew()
        assert not informer.synced
        await wait_for(informer, "b")


async def test_a_new_list_that_is_wanted_does_not_wait_for_what_failed_before(
    tmp_path: Path,
) -> None:
    script = Script([503] * 30 + [listing(9, thing("b", 8))], [])
    async with informing(script, tmp_path) as informer:
        for asked in range(1, 31):  # after so many failures each further one waits half a minute
            await wait_for_requests(script, asked)
            informer.list_anew()
        await wait_for(informer, "b")


def test_the_pause_grows_unless_the_server_says_when_to_come_again() -> None:
    silent, busy = Unavailable("x"), Unavailable("x", retry_after_seconds=1.0)
    assert [pause(silent, count, jitter=0.0) for count in (1, 4, 9)] == [0.5, 4.0, 30.0]
    assert [pause(busy, count, jitter=0.0) for count in (1, 4, 9)] == [1.0, 4.0, 5.0]
    assert pause(Unavailable("x", retry_after_seconds=60.0), 9, jitter=1.0) == 60.0


async def test_an_outage_takes_no_object_away(tmp_path: Path) -> None:
    gone = Event("ERROR", {"code": 410, "message": "too old resource version"})
    broken: dict[str, object] = {"items": None, "metadata": {}}
    script = Script([listing(5, thing("a", 3)), 503, 500, broken], [[gone]])
    async with informing(script, tmp_path) as informer:
        await wait_for_requests(script, 6)
        assert names(informer) == ["a"]
        assert informer.synced


async def test_it_is_not_synced_before_the_first_whole_list(tmp_path: Path) -> None:
    first = {"metadata": {"resourceVersion": "5", "continue": "more"}, "items": [thing("a", 3)]}
    script = Script([first, 503])
    async with informing(script, tmp_path) as informer:
        await wait_for_requests(script, 3)
        assert not informer.synced
        assert names(informer) == []


async def test_a_list_of_several_pages_is_whole(tmp_path: Path) -> None:
    first = {"metadata": {"resourceVersion": "5", "continue": "more"}, "items": [thing("a", 3)]}
    script = Script([first, listing(5, thing("b", 4))])
    async with informing(script, tmp_path) as informer:
        await wait_for(informer, "a", "b")
    assert script.asked[1]["continue"] == "more"


async def test_an_object_larger_than_any_buffer_is_read(tmp_path: Path) -> None:
    large = thing("large", 6, spec={"text": "x" * 3_000_000})
    script = Script([listing(5)], [[Event("ADDED", large)]])
    async with informing(script, tmp_path) as informer:
        await wait_for(informer, "large")


async def test_an_answer_to_a_write_is_learned_unless_it_is_old(tmp_path: Path) -> None:
    script = Script([listing(5, thing("a", 3))])
    async with informing(script, tmp_path) as informer:
        await wait_for(informer, "a")
        informer.learn(thing("deleted", 4))
        informer.learn(thing("new", 6))
        assert names(informer) == ["a", "new"]


async def test_what_was_not_heard_is_known_only_since_the_last_silence(tmp_path: Path) -> None:
    script = Script([listing(5, thing("a", 3))])
    async with informing(script, tmp_path) as informer:
        assert informer.heard_since(datetime.now(UTC)) is None
        await wait_for(informer, "a")
        now = datetime.now(UTC)
        since = informer.heard_since(now)
        assert since is not None
        assert since <= now
        assert informer.heard_since(now + timedelta(seconds=102)) is None


async def test_silence_is_broken_off(tmp_path: Path) -> None:
    script = Script([listing(5)])
    async with serving(script, tmp_path) as kubeconfig, await Kube.connect(kubeconfig) as kube:
        async with asyncio.timeout(PATIENCE_SECONDS):
            stream = kube.watch(OPEN_MODEL, resource_version="5", silence_seconds=0.1)
            assert [event async for event in stream] == []
