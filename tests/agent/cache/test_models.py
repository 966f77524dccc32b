"""The node's models: what is fetched, verified once, and known of each."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from llmaz.agent.cache.models import ModelCache
from llmaz.agent.cache.origin import HubRepository, SecretKeys
from llmaz.agent.cache.outcome import Fetched, FetchFailed, FileMark
from llmaz.agent.cache.pins import pinned
from llmaz.agent.cache.ports import SecretNotFoundError, SecretUnreadableError
from llmaz.agent.cache.request import FetchRequest, Progress, Room
from llmaz.agent.cache.state import DropModel, Failed, Fetching, FetchModel, Held
from llmaz.api.node import AssignedModel
from llmaz.api.source import ModelHub, ModelSource
from support.weights import gguf

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class World:
    """A hub that puts a file where it is asked to, and Secrets by namespace."""

    cache_dir: Path
    data: bytes = field(default_factory=gguf)
    refusal: FetchFailed | None = None
    open: asyncio.Event | None = None
    requests: list[FetchRequest] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def cache(self) -> ModelCache:
        return ModelCache(
            self.cache_dir, fetcher=self, secrets=self, now=lambda: NOW, changed=self.changed
        )

    async def fetch(
        self,
        request: FetchRequest,
        tell: Callable[[Progress], None],
        room: Callable[[int], Awaitable[Room]],
    ) -> Fetched | FetchFailed:
        self.requests.append(request)
        tell(Progress(bytes_done=1, bytes_total=len(self.data)))
        if self.open is not None:
            await self.open.wait()
        if self.refusal is not None:
            return self.refusal
        path = Path(request.cache_dir) / "hub" / "tiny.gguf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.data)
        marks = (FileMark(path=str(path), size=len(self.data)),)
        return Fetched(path=str(path), revision="c0ffee", files=marks)

    async def credentials(
        self, namespace: str | None, wanted: SecretKeys, *, own: bool = False
    ) -> Mapping[str, str]:
        if wanted.named:
            raise SecretNotFoundError(f"there is no Secret {namespace}/{wanted.name}")
        if namespace == "locked":
            raise SecretUnreadableError(f"Secret locked/{wanted.name}: forbidden")
        return {} if namespace is None else {wanted.keys[0]: f"token of {namespace}"}

    async def outcome(self, cache: ModelCache, name: str = "m") -> Fetching | Held | Failed:
        async with asyncio.timeout(120):
            while isinstance(state := cache.seen()[name].state, Fetching):
                self.changed.clear()
                await self.changed.wait()
        if isinstance(state, Held):  # what it says of memory is tried in test_anatomy.py
            return dataclasses.replace(state, memory=None)
        return state


def _from_hub(name: str = "m", namespace: str | None = None) -> AssignedModel:
    hub = ModelHub(model_id="acme/tiny", filename="tiny.gguf")
    return AssignedModel(name=name, source=ModelSource(model_hub=hub), secret_namespace=namespace)


def _on_path(path: Path) -> AssignedModel:
    return AssignedModel(name="m", source=ModelSource(uri=f"host://{path}"))


async def test_a_model_that_was_fetched_is_ready_for_the_next_agent_without_a_hub(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    for _ in range(2):
        cache = world.cache()
        cache.perform(FetchModel(model=_from_hub()))
        held = await world.outcome(cache)
        assert held == Held(
            path=str(tmp_path / "hub" / "tiny.gguf"),
            revision="c0ffee",
            size_bytes=len(world.data),
        )
    assert len(world.requests) == 1


async def test_a_model_of_which_a_file_is_gone_or_shorter_is_fetched_again(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    for _ in range(2):
        cache = world.cache()
        cache.perform(FetchModel(model=_from_hub()))
        await world.outcome(cache)
        (tmp_path / "hub" / "tiny.gguf").write_bytes(b"short")
    assert len(world.requests) == 2


async def test_two_models_of_one_source_are_fetched_once(tmp_path: Path) -> None:
    world = World(tmp_path, open=asyncio.Event())
    cache = world.cache()
    cache.perform(FetchModel(model=_from_hub("a")))
    cache.perform(FetchModel(model=_from_hub("b")))
    assert world.open is not None
    world.open.set()
    assert await world.outcome(cache, "a") == await world.outcome(cache, "b")
    assert len(world.requests) == 1


async def test_progress_can_be_seen(tmp_path: Path) -> None:
    world = World(tmp_path, open=asyncio.Event())
    cache = world.cache()
    cache.perform(FetchModel(model=_from_hub()))
    async with asyncio.timeout(120):
        await world.changed.wait()
    assert cache.seen()["m"].state == Fetching(bytes_done=1, bytes_total=len(world.data))
    await cache.aclose()


async def test_the_token_of_the_models_namespace_is_used(tmp_path: Path) -> None:
    world = World(tmp_path)
    cache = world.cache()
    cache.perform(FetchModel(model=_from_hub(namespace="team")))
    await world.outcome(cache)
    assert [dict(request.credentials) for request in world.requests] == [
        {"HF_TOKEN": "token of team"}
    ]


async def test_a_secret_that_cannot_be_read_is_a_passing_failure(tmp_path: Path) -> None:
    world = World(tmp_path)
    cache = world.cache()
    cache.perform(FetchModel(model=_from_hub(namespace="locked")))
    assert await world.outcome(cache) == Failed(
        reason="SecretUnreadable",
        message="Secret locked/modelhub-secret: forbidden",
        passing=True,
        failures=1,
        at=NOW,
    )


async def test_a_model_whose_named_secret_is_missing_waits_and_asks_no_source(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    cache = world.cache()
    model = dataclasses.replace(_from_hub(namespace="team"), secret="team-hub")
    cache.perform(FetchModel(model=model))
    assert await world.outcome(cache) == Failed(
        reason="SecretNotFound",
        message="there is no Secret team/team-hub",
        passing=True,
        failures=1,
        at=NOW,
    )
    assert world.requests == []


async def test_failures_in_a_row_are_counted(tmp_path: Path) -> None:
    world = World(
        tmp_path, refusal=FetchFailed(reason="HubError", message="HTTP 500", passing=True)
    )
    cache = world.cache()
    for failures in (1, 2, 3):
        cache.perform(FetchModel(model=_from_hub()))
        outcome = await world.outcome(cache)
        assert isinstance(outcome, Failed)
        assert outcome.failures == failures


async def test_what_a_hub_sends_must_be_a_model(tmp_path: Path) -> None:
    world = World(tmp_path, data=b"an error page")
    cache = world.cache()
    cache.perform(FetchModel(model=_from_hub()))
    outcome = await world.outcome(cache)
    assert isinstance(outcome, Failed)
    assert outcome.reason == "NotAModel"


async def test_a_path_of_the_node_is_served_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf())
    world = World(tmp_path)
    cache = world.cache()
    cache.perform(FetchModel(model=_on_path(path)))
    assert await world.outcome(cache) == Held(path=str(path))


async def test_a_path_is_looked_into_once_until_it_changes(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "m.gguf").write_bytes(gguf())
    world = World(tmp_path / "cache")
    for _ in range(2):
        cache = world.cache()
        cache.perform(FetchModel(model=_on_path(model)))
        assert await world.outcome(cache) == Held(path=str(model))
        assert len(list((tmp_path / "cache" / "marks").iterdir())) == 1
    (model / "m.gguf").write_bytes(b"GGUF no more")
    cache = world.cache()
    cache.perform(FetchModel(model=_on_path(model)))
    outcome = await world.outcome(cache)
    assert isinstance(outcome, Failed)
    assert outcome.reason == "NotAModel"


async def test_a_path_is_served_also_when_the_cache_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf())
    (tmp_path / "cache").write_text("in the way")
    world = World(tmp_path / "cache")
    cache = world.cache()
    cache.perform(FetchModel(model=_on_path(tmp_path / "m.gguf")))
    assert await world.outcome(cache) == Held(path=str(tmp_path / "m.gguf"))


async def test_a_path_that_is_missing_is_said(tmp_path: Path) -> None:
    world = World(tmp_path)
    cache = world.cache()
    cache.perform(FetchModel(model=_on_path(tmp_path / "nothing")))
    outcome = await world.outcome(cache)
    assert isinstance(outcome, Failed)
    assert outcome.reason == "PathNotFound"
    assert outcome.message == f"there is no {tmp_path}/nothing on this node"


async def test_a_cache_directory_that_is_a_file_is_a_failure_with_words(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    world = World(tmp_path / "cache")
    cache = world.cache()
    cache.perform(FetchModel(model=_from_hub()))
    outcome = await world.outcome(cache)
    assert isinstance(outcome, Failed)
    assert outcome.reason == "CacheNotWritable"


async def test_a_model_that_is_dropped_is_fetched_no_further(tmp_path: Path) -> None:
    world = World(tmp_path, open=asyncio.Event())
    cache = world.cache()
    cache.perform(FetchModel(model=_from_hub()))
    cache.perform(DropModel(name="m"))
    assert cache.seen() == {}
    await cache.aclose()


async def test_what_was_removed_by_hand_is_fetched_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    cache = world.cache()
    cache.perform(FetchModel(model=_from_hub()))
    held = await world.outcome(cache)
    await cache.recheck()
    assert len(world.requests) == 1
    (tmp_path / "hub" / "tiny.gguf").unlink()
    await cache.recheck()
    assert await world.outcome(cache) == held
    assert len(world.requests) == 2


async def test_a_path_of_the_node_that_vanished_is_said(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf())
    world = World(tmp_path)
    cache = world.cache()
    cache.perform(FetchModel(model=_on_path(path)))
    await world.outcome(cache)
    path.unlink()
    await cache.recheck()
    outcome = await world.outcome(cache)
    assert isinstance(outcome, Failed)
    assert outcome.reason == "PathNotFound"


async def test_the_commit_that_other_nodes_hold_is_asked_for_and_found_by_its_branch(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    cache = world.cache()
    cache.perform(FetchModel(model=dataclasses.replace(_from_hub(), revision="c0ffee")))
    await world.outcome(cache)
    (request,) = world.requests
    assert isinstance(request.origin, HubRepository)
    assert request.origin.revision == "c0ffee"
    ref = tmp_path / "hub" / "models--acme--tiny" / "refs" / "main"
    assert ref.read_text() == "c0ffee"


async def test_a_pin_of_the_assignment_is_kept_until_it_is_taken_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    cache = world.cache()
    for pin in (True, False):
        cache.perform(FetchModel(model=dataclasses.replace(_from_hub(), pin=pin)))
        await world.outcome(cache)
        assert len(pinned(tmp_path)) == pin
