"""The agent of one node: its parts, wired to each other, and how they run together."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import cast

from llmaz.agent.accelerators.capacity import capacity
from llmaz.agent.accelerators.errors import device_errors
from llmaz.agent.accelerators.probe import ChildProbe
from llmaz.agent.accelerators.sysfs import text
from llmaz.agent.accelerators.watch import AcceleratorWatch
from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.models import DEFAULT_ENDPOINT, ModelCache
from llmaz.agent.cache.upkeep import Upkeep
from llmaz.agent.engines import Engines, Surroundings
from llmaz.agent.engines.liveness import Patience
from llmaz.agent.engines.metrics import Numbers
from llmaz.agent.jit.caches import JitCaches
from llmaz.agent.jit.peers import JitPeers
from llmaz.agent.kept import AssignmentFile
from llmaz.agent.lookup import ClusterLookup
from llmaz.agent.loop import Loop
from llmaz.agent.observe import AssignmentWatch, Observer
from llmaz.agent.own import OwnNode
from llmaz.agent.perform import Performer
from llmaz.agent.plan import Plan
from llmaz.agent.publish import StatusPublisher
from llmaz.agent.register import Registration
from llmaz.agent.settings import RunAgent
from llmaz.agent.sharing.child import SharingChild
from llmaz.agent.sharing.settings import SharingSettings
from llmaz.agent.state import NodeFacts, NodeState
from llmaz.agent.swarm.peering import Peering, peers_path
from llmaz.agent.warm.tier import MemoryTier
from llmaz.agent.warm.warmer import Warmer, paths_in_use
from llmaz.api.manifest import Manifest
from llmaz.api.node import Accelerator, AssignedEngine
from llmaz.api.peer import ModelPeer
from llmaz.api.slot import SLOTS
from llmaz.kube import Kube

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
MACHINE = Path("/sys/class/dmi/id/product_name")


def facts_of(settings: RunAgent, port: int) -> NodeFacts:
    """Collect what does not change while the agent runs."""
    return NodeFacts(
        name=settings.node_name,
        address=settings.address,
        agent_url=f"http://{settings.address}:{port}",
        agent_version=version("llmaz"),
        boot_id=BOOT_ID.read_text().strip(),
        capacity=capacity(),
        machine=text(MACHINE),
        started_at=datetime.now(UTC).replace(microsecond=0),
    )


class Agent:
    """One node's agent, for one connection to the API server."""

    def __init__(
        self, settings: RunAgent, facts: NodeFacts, kube: Kube, environ: Mapping[str, str]
    ) -> None:
        self._changed = asyncio.Event()
        self._publisher = StatusPublisher(kube, facts.name)
        self._registration = Registration(
            kube, facts, register_node=settings.register_node, found=self._found
        )
        self._own = OwnNode(
            kube, facts.name, changed=self._changed, missing=self._registration.missing.set
        )
        self._accelerators = AcceleratorWatch(ChildProbe(), now=_now, changed=self._changed)
        self.sharing = SharingChild(
            _sharing(settings, facts.name),
            address=settings.address,
            environ=environ,
            changed=self._changed.set,
        )
        lookup = ClusterLookup(kube, default_namespace=settings.default_secret_namespace)
        self._models = self._model_cache(settings, facts, environ, lookup)
        self.fetches = self._models.counts
        self.upkeep = Upkeep(
            settings.cache_dir,
            limits=settings.cache_limits,
            recheck=self._models.recheck,
            evictions=self._models.evictions,
            scrub_rate=settings.scrub_rate,
            changed=self._changed.set,
        )
        self._memory_tier = _memory_tier(settings)
        self.jit = self._jit_caches(settings, facts.name)
        self._engines = self._supervision(settings, facts, environ, lookup)
        self.warmer = Warmer(
            self._engines, settings.state_dir, settings.read_ahead, self._memory_tier
        )
        self._performer = Performer(
            engines=self.warmer,
            models=self._models,
            fresh_assignment=self._own.fresh,
            changed=self._changed,
        )
        self._loop = self._look_decide_act(facts, AssignmentFile(settings.state_dir))

    def _model_cache(
        self,
        settings: RunAgent,
        facts: NodeFacts,
        environ: Mapping[str, str],
        lookup: ClusterLookup,
    ) -> ModelCache:
        return ModelCache(
            settings.cache_dir,
            fetcher=FetchChild(environ),
            secrets=lookup,
            now=_now,
            changed=self._changed,
            endpoint=environ.get("HF_ENDPOINT", DEFAULT_ENDPOINT),
            limits=settings.cache_limits,
            policy=settings.fetch_policy,
            peering=_peering(settings, facts.name),
            settled=self._cache_moved,
        )

    def _supervision(
        self,
        settings: RunAgent,
        facts: NodeFacts,
        environ: Mapping[str, str],
        lookup: ClusterLookup,
    ) -> Engines:
        surroundings = Surroundings(
            environ=environ,
            lookup=lookup,
            node_name=facts.name,
            address=facts.address,
            accelerators=self._by_uuid,
            hub_url=lambda: self.sharing.hub_url,
            compiled=self.jit.variables if self.jit is not None else None,
        )
        return Engines(
            settings.state_dir,
            surroundings,
            changed=self._changed,
            patience=Patience.within(settings.hang_seconds, settings.toil_seconds),
            assigned=self._assigned,
            device_errors=lambda: device_errors(self._accelerators.sighting),
            on_freed=self._accelerators.look_soon,
            environments_dir=settings.cache_dir / "environments",
            environments_quota=settings.environments_quota,
            devices_socket=settings.devices_socket,
        )

    def _look_decide_act(self, facts: NodeFacts, file: AssignmentFile) -> Loop:
        observer = Observer(
            assignments=AssignmentWatch(self._own.shown, file),
            engines=self._engines,
            models=self._models.seen,
            sighting=lambda: self._accelerators.sighting,
            sharing_url=lambda: self.sharing.url,
            cache=lambda: self.upkeep.usage,
            distrusted=self._models.counts.distrusted,
            incidents=self._engines.incidents,
        )
        return Loop(
            facts,
            observer=observer,
            performer=self._performer,
            publisher=self._publisher,
            changed=self._changed,
            now=_now,
        )

    def last_look(self) -> tuple[NodeState, Plan] | None:
        """Return what was last seen and decided, for the metrics."""
        seen, decided = self._loop.seen, self._loop.decided
        return (seen, decided) if seen is not None and decided is not None else None

    def numbers(self) -> tuple[tuple[AssignedEngine, Numbers], ...]:
        """Return what the engines tell of themselves."""
        return self._engines.numbers()

    def why_not_ready(self) -> str | None:
        """Say what the agent waits for before it is of use; None when it is."""
        if self._loop.decided is None:
            return "the node has not been looked at yet"
        if not self._own.synced:
            return "the API server has not answered yet"
        return None

    async def run_until(self, stop: asyncio.Event) -> None:
        """Run every part until `stop`. Engines and their shims are left as they are."""
        async with self._engines:
            await self._engines.prepare()
            async with asyncio.TaskGroup() as group:
                parts = (
                    self._own.run(),
                    self._registration.run(),
                    self._publisher.run(),
                    self._accelerators.run(),
                    self.sharing.run(),
                    self._loop.run(),
                    self.upkeep.run(),
                )
                running = [group.create_task(part) for part in parts]
                if self.jit is not None:
                    running.append(group.create_task(self.jit.run()))
                await stop.wait()
                for task in running:
                    task.cancel()
            await self._performer.aclose()
            await self.warmer.aclose()
            await self._models.aclose()

    def _jit_caches(self, settings: RunAgent, name: str) -> JitCaches | None:
        if settings.jit_cache is None:
            return None
        peering = _peering(settings, name)("") if settings.jit_peers else None
        return JitCaches(
            settings.cache_dir / "jit",
            settings.jit_cache,
            accelerators=self._by_uuid,
            engines=lambda: self._loop.seen.engines if self._loop.seen is not None else None,
            bring=JitPeers(peering, self._model_peers).bring if peering is not None else None,
            original=self._memory_tier.original if self._memory_tier is not None else str,
            slots=settings.state_dir.parent / SLOTS,
        )

    def _model_peers(self, name: str) -> tuple[ModelPeer, ...]:
        seen = self._loop.seen
        models = seen.assignment.spec.models if seen and seen.assignment else ()
        return next((model.peers for model in models if model.name == name), ())

    def _cache_moved(self) -> None:
        self.upkeep.measure_soon()

    def _assigned(self) -> tuple[AssignedEngine, ...]:
        seen = self._loop.seen
        return seen.assignment.spec.engines if seen and seen.assignment else ()

    def _by_uuid(self) -> Mapping[str, Accelerator]:
        seen = self._accelerators.sighting.accelerators or ()
        return {accelerator.uuid: accelerator for accelerator in seen}

    def _found(self, manifest: Manifest) -> None:
        self._publisher.found(cast("Manifest", manifest.get("status") or {}))


def _memory_tier(settings: RunAgent) -> MemoryTier | None:
    copies = settings.warm_copies
    if copies is None:
        return None
    return MemoryTier(
        copies.directory,
        copies.quota,
        cache_dir=settings.cache_dir,
        in_use=lambda: paths_in_use(settings.state_dir),
    )


def _peering(settings: RunAgent, name: str) -> Callable[[str], Peering | None]:
    """Return what the fetch of a model needs to share with other nodes."""
    token = settings.peer_token_file
    if token is None:
        return lambda _: None
    return lambda model: Peering(
        node=name,
        peers_file=str(peers_path(settings.cache_dir, model)),
        token_file=str(token.absolute()),
        tls=settings.peer_tls,
    )


def _sharing(settings: RunAgent, name: str) -> SharingSettings:
    return SharingSettings(
        node_name=name,
        listen_host=settings.sharing_host,
        listen_port=settings.sharing_port,
        cache_dir=settings.cache_dir,
        token_file=settings.peer_token_file,
        tls=settings.peer_tls,
        uploads=settings.peer_uploads,
        uploads_per_peer=settings.peer_uploads_each,
        mirror_fetch=settings.mirror_fetch,
        plain_http=settings.fetch_policy.plain_http,
        state_dir=settings.state_dir,
        cache_quota=settings.cache_limits.quota,
        jit_shared=settings.jit_peers,
        log_format=settings.log_format,
    )


def _now() -> datetime:
    return datetime.now(UTC)
