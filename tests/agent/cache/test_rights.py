"""Weights on a node, a hub that gives them to some, and namespaces that bring what they have."""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.models import ModelCache
from llmaz.agent.cache.origin import SecretKeys
from llmaz.agent.cache.policy import FetchPolicy
from llmaz.agent.cache.ports import SecretUnreadableError
from llmaz.agent.cache.state import (
    Asking,
    AskRight,
    DropRight,
    Failed,
    FetchModel,
    Granted,
    Held,
    Right,
)
from llmaz.api.node import AssignedModel
from llmaz.api.source import ModelHub, ModelSource
from support.hub import Hub, Repository, serving
from support.weights import gguf

TOKEN = "a-token-that-shows-nowhere"
FILES = {"model.gguf": gguf()}


@dataclass
class World:
    """A node whose agent has the right token itself, and so has the platform."""

    folder: Path
    tokens: Mapping[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def cache(self, hub: Hub, *, gated: bool = True) -> ModelCache:
        environ = {**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN}
        return ModelCache(
            self.folder,
            fetcher=FetchChild(environ),
            secrets=self,
            now=lambda: datetime.now(UTC),
            changed=self.changed,
            endpoint=hub.url,
            policy=FetchPolicy(gated_authorization=gated),
        )

    async def credentials(
        self, namespace: str | None, wanted: SecretKeys, *, own: bool = False
    ) -> Mapping[str, str]:
        self.names.append(wanted.name)
        if namespace == "locked":
            raise SecretUnreadableError("Secret locked/modelhub-secret: forbidden")
        token = self.tokens.get(namespace or "", "" if own else TOKEN)
        return {"HF_TOKEN": token} if token else {}

    async def held(self, cache: ModelCache) -> None:
        cache.perform(FetchModel(model=MODEL))
        await self._until(lambda: isinstance(cache.seen()["m"].state, Held))

    async def right(self, cache: ModelCache, namespace: str) -> Right:
        cache.perform(AskRight(model=MODEL, namespace=namespace))
        await self._until(lambda: not isinstance(rights_of(cache)[namespace], Asking))
        return rights_of(cache)[namespace]

    async def _until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(120):
            while not is_so():
                self.changed.clear()
                await self.changed.wait()


MODEL = AssignedModel(
    name="m", source=ModelSource(model_hub=ModelHub(model_id="acme/tiny")), secret="team-hub"
)


def rights_of(cache: ModelCache) -> Mapping[str, Right]:
    rights = cache.seen()["m"].rights
    assert rights is not None
    return rights


def _private() -> dict[str, Repository]:
    return {"acme/tiny": Repository(FILES, token=TOKEN)}


async def test_neither_the_platforms_token_nor_the_nodes_own_opens_weights_to_a_namespace(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, tokens={"mine": TOKEN, "theirs": "another-token"})
    async with serving(_private()) as hub:
        cache = world.cache(hub)
        await world.held(cache)
        for namespace in ("nothing", "theirs"):
            right = await world.right(cache, namespace)
            assert isinstance(right, Failed), namespace
            assert right.reason == "NotAuthorized"
            assert f"namespace {namespace}" in right.message
            assert TOKEN not in right.message
            assert "another-token" not in right.message
        assert await world.right(cache, "mine") == Granted()
        await cache.aclose()
    assert set(world.names) == {"team-hub"}  # the Secret that the model names


async def test_a_model_that_the_hub_shows_to_all_is_for_every_namespace(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with serving({"acme/tiny": Repository(FILES)}) as hub:
        cache = world.cache(hub)
        await world.held(cache)
        assert await world.right(cache, "nothing") == Granted()
        await cache.aclose()


async def test_a_source_that_is_gone_and_a_secret_that_cannot_be_read_open_nothing(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, tokens={"theirs": "another-token"})
    async with serving(_private()) as hub:
        cache = world.cache(hub)
        await world.held(cache)
    for namespace in ("theirs", "locked"):
        right = await world.right(cache, namespace)
        assert isinstance(right, Failed)
        assert right.passing
    await cache.aclose()


async def test_what_is_known_of_a_namespace_is_forgotten_with_its_engines_and_the_source(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, tokens={"mine": TOKEN})
    async with serving(_private()) as hub:
        cache = world.cache(hub)
        await world.held(cache)
        await world.right(cache, "mine")
        cache.perform(DropRight(name="m", namespace="mine"))
        assert rights_of(cache) == {}
        await world.right(cache, "mine")
        await world.held(cache)
        assert rights_of(cache) == {}
        await cache.aclose()


async def test_a_path_of_the_node_is_for_all(tmp_path: Path) -> None:
    async with serving({}) as hub:
        cache = World(tmp_path).cache(hub)
        cache.perform(
            FetchModel(model=AssignedModel(name="m", source=ModelSource(uri="host:///m")))
        )
        assert cache.seen()["m"].rights is None
        await cache.aclose()


async def test_without_the_option_nothing_is_asked(tmp_path: Path) -> None:
    async with serving({}) as hub:
        cache = World(tmp_path).cache(hub, gated=False)
        cache.perform(FetchModel(model=MODEL))
        assert cache.seen()["m"].rights is None
        await cache.aclose()
