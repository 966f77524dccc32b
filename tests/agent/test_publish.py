"""What of a status is written, and when."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from llmaz.agent.publish import (
    PROGRESS_SECONDS,
    SLOW_PROGRESS_SECONDS,
    WORDS_SECONDS,
    StatusPublisher,
    pause_before,
    status_patch,
)
from llmaz.api.kinds import Kind
from llmaz.api.manifest import Json, Manifest
from llmaz.api.node import EnginePhase, EngineReport, ModelPhase, ModelReport, NodeStatus
from llmaz.kube import Unavailable
from support.attempts import best_within


@dataclass
class Api:
    """Records what is written; fails as often as it is told to."""

    failures: int = 0
    written: list[tuple[float, Json]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def patch(
        self,
        kind: Kind,
        name: str,
        patch: Manifest,
        namespace: str | None = None,
        *,
        subresource: str = "",
    ) -> Manifest:
        assert (kind.kind, name, subresource) == ("InferenceNode", "n", "status")
        if self.failures > 0:
            self.failures -= 1
            raise Unavailable("as the test asked")
        self.written.append((time.monotonic(), patch["status"]))
        self.news.set()
        return {}

    async def count(self, count: int) -> None:
        async with asyncio.timeout(120):
            while len(self.written) < count:
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def _publisher(api: Api, *, found: bool = True) -> AsyncIterator[StatusPublisher]:
    publisher = StatusPublisher(api, "n")
    if found:
        publisher.found({})
    task = asyncio.create_task(publisher.run())
    yield publisher
    task.cancel()


def _fetching(done: int) -> NodeStatus:
    model = ModelReport(name="m", phase=ModelPhase.FETCHING, bytes_done=done, bytes_total=100)
    return NodeStatus(models=(model,))


READY = NodeStatus(
    models=_fetching(50).models, engines=(EngineReport(id="d/a-0", phase=EnginePhase.READY),)
)


def test_only_what_differs_is_written_and_what_is_gone_is_taken_back() -> None:
    written: Manifest = {"address": "a", "bootId": "b", "agentUrl": "u"}
    wanted: Manifest = {"address": "a", "bootId": "c"}
    assert status_patch(written, wanted) == {"bootId": "c", "agentUrl": None}


def test_what_is_not_known_takes_nothing_back() -> None:
    assert status_patch({"accelerators": [{"uuid": "GPU-1"}]}, {}) == {}
    assert status_patch({"accelerators": [{"uuid": "GPU-1"}]}, {"accelerators": []}) == {
        "accelerators": []
    }


def _in_percent(done: int) -> Manifest:
    return {"models": [{"name": "m", "bytesDone": done, "bytesTotal": 100}]}


@pytest.mark.parametrize(
    ("before", "after", "seconds"),
    [
        (_in_percent(done=1), _in_percent(done=5), SLOW_PROGRESS_SECONDS),
        (_in_percent(done=1), _in_percent(done=6), PROGRESS_SECONDS),
        ({"models": [{"phase": "Fetching"}]}, {"models": [{"phase": "Ready"}]}, WORDS_SECONDS),
        ({"engines": [{"phase": "Waiting"}]}, {"engines": [{"phase": "Starting"}]}, WORDS_SECONDS),
        ({"engines": [{"phase": "Starting"}]}, {"engines": [{"phase": "Ready"}]}, 0),
        ({"engines": [{"phase": "Ready"}]}, {"engines": [{"phase": "Backoff"}]}, 0),
        ({"accelerators": []}, {"accelerators": [{"uuid": "GPU-1"}]}, 0),
    ],
)
def test_what_is_acted_on_is_told_at_once_and_the_rest_may_wait(
    before: Manifest, after: Manifest, seconds: float
) -> None:
    assert pause_before(before, after) == seconds


async def test_a_status_is_not_written_twice() -> None:
    api = Api()
    async with _publisher(api) as publisher:
        publisher.offer(_fetching(1))
        await api.count(1)
        publisher.offer(_fetching(1))
        publisher.offer(READY)
        await api.count(2)
    assert len(api.written) == 2


async def test_progress_waits_and_readiness_does_not(tmp_path: Path) -> None:
    what = "seconds until readiness was told"
    await best_within(WORDS_SECONDS / 2, _until_readiness_is_told, tmp_path, what)


async def _until_readiness_is_told(_: Path) -> float:
    api = Api()
    async with _publisher(api) as publisher:
        publisher.offer(_fetching(1))
        await api.count(1)
        publisher.offer(_fetching(50))
        await asyncio.sleep(0)
        publisher.offer(READY)
        await api.count(2)
        publisher.offer(dataclasses.replace(READY, models=_fetching(60).models))
        await api.count(3)
    first, second, third = (moment for moment, _ in api.written)
    assert third - second >= PROGRESS_SECONDS * 0.9
    return second - first


async def test_nothing_is_written_before_there_is_an_object() -> None:
    api = Api()
    async with _publisher(api, found=False) as publisher:
        publisher.offer(READY)
        await asyncio.sleep(0)
        assert api.written == []
        publisher.found({})
        await api.count(1)


async def test_an_object_that_was_made_anew_gets_the_whole_status() -> None:
    api = Api()
    async with _publisher(api) as publisher:
        publisher.offer(READY)
        await api.count(1)
        publisher.found({})
        await api.count(2)
    assert api.written[0][1] == api.written[1][1]


async def test_a_write_that_failed_is_tried_again() -> None:
    api = Api(failures=2)
    async with _publisher(api) as publisher:
        publisher.offer(READY)
        await api.count(1)
