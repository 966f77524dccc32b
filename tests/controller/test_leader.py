import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from llmaz.api.kinds import LEASE
from llmaz.api.manifest import Manifest
from llmaz.api.names import CONTROLLER, SYSTEM_NAMESPACE
from llmaz.controller.leader import DURATION_SECONDS, RETRY_SECONDS, Leadership, may_take, taken
from support.cluster import eventually
from support.controllerprocess import PATIENCE_SECONDS, Cluster, ControllerProcess

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def held_by(lease: Manifest) -> object:
    return cast("Manifest", lease.get("spec") or {}).get("holderIdentity")


@pytest.mark.parametrize(
    ("holder", "age_seconds", "free"),
    [
        ("", 0, True),
        ("me", 0, True),
        ("other", 0, False),
        ("other", DURATION_SECONDS - 1, False),
        ("other", DURATION_SECONDS + 1, True),
    ],
)
def test_a_lease_is_taken_when_it_is_ours_or_free_or_has_run_out(
    holder: str, age_seconds: int, free: bool
) -> None:
    lease = taken({}, holder, NOW - timedelta(seconds=age_seconds))
    assert may_take(lease, "me", NOW) is free
    assert may_take({}, "me", NOW)


def test_a_standby_that_looks_as_often_as_it_does_leads_within_twenty_seconds() -> None:
    """What it takes on an idle machine: the Lease runs out, and is looked at once more."""
    assert DURATION_SECONDS + RETRY_SECONDS <= 20


def test_taking_over_counts_a_transition_and_renewing_does_not() -> None:
    first = taken({}, "me", NOW)
    renewed = cast("Manifest", taken(first, "me", NOW + timedelta(seconds=5))["spec"])
    other = cast("Manifest", taken(first, "other", NOW)["spec"])
    assert (renewed["leaseTransitions"], other["leaseTransitions"]) == (1, 2)
    assert renewed["acquireTime"] == cast("Manifest", first["spec"])["acquireTime"]


async def test_a_standby_takes_over_when_the_leader_stops(
    cluster: Cluster, controller: ControllerProcess, tmp_path: Path
) -> None:
    async def lease() -> Manifest:
        return await cluster.kube.get(LEASE, CONTROLLER, SYSTEM_NAMESPACE)

    await eventually(lease, lambda seen: held_by(seen) == "tests")
    standby = ControllerProcess(controller.kubeconfig, tmp_path / "standby.log")
    standby.start("standby")
    try:
        controller.stop()
        await eventually(lease, lambda seen: held_by(seen) == "standby")
        agent = await cluster.agent(gpus=1)
        await cluster.playground("chat", await cluster.model("qwen", agent))
        await agent.assigned([f"{cluster.namespace}/chat-0"])
    finally:
        controller.start()
        assert standby.stop() == 0
    await eventually(lease, lambda seen: held_by(seen) == "tests")


async def test_who_holds_the_lease_no_more_says_so_and_looks_again(
    cluster: Cluster, controller: ControllerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    async def lease() -> Manifest:
        return await cluster.kube.get(LEASE, CONTROLLER, SYSTEM_NAMESPACE)

    caplog.set_level(logging.INFO)
    changed = asyncio.Event()
    controller.stop()
    try:
        leadership = Leadership(cluster.kube, "me", changed, lambda: None)
        leading = asyncio.create_task(leadership.run())
        for words in ("leading as me", "standing by as me"):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while words not in caplog.messages:
                    changed.clear()
                    await changed.wait()
            await leadership.give_up()
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)
        await leadership.give_up()
    finally:
        controller.start()
    await eventually(lease, lambda seen: held_by(seen) == "tests")


async def test_a_standby_takes_over_from_a_leader_that_was_killed_and_disturbs_nothing(
    cluster: Cluster, controller: ControllerProcess, tmp_path: Path
) -> None:
    async def lease() -> Manifest:
        return await cluster.kube.get(LEASE, CONTROLLER, SYSTEM_NAMESPACE)

    await eventually(lease, lambda seen: held_by(seen) == "tests")
    agent = await cluster.agent(gpus=2)
    model = await cluster.model("qwen", agent)
    await cluster.playground("before", model)
    before = await agent.assigned([f"{cluster.namespace}/before-0"])
    standby = ControllerProcess(controller.kubeconfig, tmp_path / "standby.log")
    standby.start("standby")
    try:
        controller.kill()
        await eventually(lease, lambda seen: held_by(seen) == "standby")
        await cluster.playground("after", model)
        ids = [f"{cluster.namespace}/{name}-0" for name in ("after", "before")]
        engines = await agent.assigned(ids)
        assert [one for one in engines if one.service == "before"] == list(before)
    finally:
        controller.start()
        standby.stop()
    await eventually(lease, lambda seen: held_by(seen) == "tests")
