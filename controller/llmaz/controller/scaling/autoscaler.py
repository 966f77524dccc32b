"""The loop of the autoscaler: asks the agents, decides, writes through the scale subresource.

It remembers its looks alone. A leader that takes over begins with none, and until they cover the
time that a decision asks for, it takes nothing away.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from typing import TextIO

import aiohttp

from llmaz.api.kinds import PLAYGROUND
from llmaz.api.manifest import Manifest
from llmaz.api.names import AUTOSCALER
from llmaz.controller.actions import RecordEvent
from llmaz.controller.leader import Leadership
from llmaz.controller.metrics import Metrics
from llmaz.controller.observe import Observer
from llmaz.controller.perform import Performer
from llmaz.controller.scaling import record
from llmaz.controller.scaling.decide import Decision, decide
from llmaz.controller.scaling.load import EngineLoad, Sample, read_loads
from llmaz.controller.scaling.series import Series
from llmaz.controller.scaling.targets import Target, targets
from llmaz.controller.snapshot import Key, Ref
from llmaz.kube import Conflict, Kube, KubeError

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 5.0  # agents look at their engines as often
_ANSWER = aiohttp.ClientTimeout(total=4.0)
_AT_ONCE = 32


class Autoscaler:
    """Scales elastic Playgrounds while this controller leads."""

    def __init__(
        self,
        kube: Kube,
        observer: Observer,
        leadership: Leadership,
        metrics: Metrics,
        recording: TextIO | None,
    ) -> None:
        self._kube = kube
        self._observer = observer
        self._leadership = leadership
        self._metrics = metrics
        self._recording = recording
        self._performer = Performer(kube, observer)
        self._series: dict[Key, Series] = {}

    async def run(self) -> None:
        """Go on for ever. What fails is tried again at the next look."""
        async with aiohttp.ClientSession(timeout=_ANSWER) as client:
            while True:
                begun = time.monotonic()
                if self._leadership.is_held and self._observer.missing() is None:
                    try:
                        await self._look(client)
                    except Exception:
                        logger.exception("a look at the load failed")
                else:
                    self._series.clear()
                await asyncio.sleep(max(0.0, INTERVAL_SECONDS - (time.monotonic() - begun)))

    async def _look(self, client: aiohttp.ClientSession) -> None:
        found = targets(self._observer.snapshot({}))
        self._series = {key: self._series.get(key, Series()) for key in found}
        loads = await _loads(
            client, {url for one in found.values() for url in one.engines.values()}
        )
        unknown = set()
        for key, target in found.items():
            decision = self._decide(key, target, loads)
            if decision.reason == "LoadUnknown":
                unknown.add(key)
            if decision.replicas != target.playground.spec.replicas:
                await self._scale(target, decision)
        self._observer.tell_unknown_loads(frozenset(unknown))

    def _decide(self, key: Key, target: Target, loads: Mapping[str, EngineLoad]) -> Decision:
        sample = Sample(
            at=time.monotonic(),
            replicas=target.playground.spec.replicas,
            serving=len(target.engines),
            engines={id_: loads[id_] for id_ in sorted(target.engines) if id_ in loads},
        )
        if self._recording is not None:
            record.write(self._recording, key, target.policy, sample)
        series = self._series[key]
        series.add(sample, target.policy)
        decision = decide(series.samples, target.policy)
        if decision.reason == "LoadUnknown" and not sample.serving:
            return Decision(replicas=decision.replicas, reason="Starting")
        return decision

    async def _scale(self, target: Target, decision: Decision) -> None:
        """Write the replicas, unless somebody wrote the Playground since it was seen."""
        meta, old = target.playground.metadata, target.playground.spec.replicas
        if not self._leadership.is_held:
            return
        patch: Manifest = {
            "metadata": {"resourceVersion": meta.resource_version},
            "spec": {"replicas": decision.replicas},
        }
        try:
            async with asyncio.timeout(self._leadership.seconds_left):
                await self._kube.patch(
                    *(PLAYGROUND, meta.name, patch, meta.namespace),
                    subresource="scale",
                    manager=AUTOSCALER,
                )
        except (Conflict, TimeoutError):
            return  # it is read anew before the next look
        except KubeError as error:
            logger.warning("Playground %s not scaled: %s", "/".join(target.key), error)
            return
        words = f"from {old} to {decision.replicas} replicas: {decision.message}"
        logger.info("Playground %s: %s", "/".join(target.key), words)
        up = decision.replicas > old
        self._metrics.scaled("up" if up else "down", decision.reason)
        event = RecordEvent(
            ref=Ref(kind=PLAYGROUND, namespace=target.key[0], name=meta.name),
            uid=meta.uid,
            type="Normal",
            reason="ScaledUp" if up else _reason_of_less(decision),
            message=words,
        )
        try:
            await self._performer.perform(event)
        except KubeError as error:
            logger.warning("event not recorded: %s", error)


def _reason_of_less(decision: Decision) -> str:
    if decision.replicas:
        return "ScaledDown"
    return "FellAsleep" if decision.reason == "Sleep" else "ScaledToZero"


async def _loads(client: aiohttp.ClientSession, agents: Collection[str]) -> dict[str, EngineLoad]:
    """Return what the engines of these agents do; an agent that does not answer tells nothing."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def ask(url: str) -> dict[str, EngineLoad]:
        try:
            async with gate, client.get(f"{url}/metrics") as answer:
                return read_loads(await answer.text()) if answer.status == 200 else {}
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            logger.warning("the load at %s is not known: %s", url, error or type(error).__name__)
            return {}

    pages = await asyncio.gather(*(ask(url) for url in sorted(agents) if url))
    return {id_: load for page in pages for id_, load in page.items()}
