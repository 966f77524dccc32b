"""Engines that fail as they are assigned, as their agent tells of them."""

import dataclasses

from llmaz.api.fingerprint import fingerprint
from llmaz.api.node import AssignedEngine, EnginePhase, EngineReport
from support.controlling import World


def fail_first(world: World) -> None:
    """Let the first engine of the node fail as it is assigned now."""
    fail(world, world.nodes["n1"].spec.engines[0])


def fail(world: World, engine: AssignedEngine) -> None:
    """Let this engine of the node fail, of which the others' reports stay as they are."""
    one, assigned = world.nodes["n1"], fingerprint(engine)
    failed = EngineReport(
        id=engine.id, phase=EnginePhase.FAILED, fingerprint=assigned, reason="BadArguments"
    )
    others = (report for report in one.status.engines or () if report.id != engine.id)
    status = dataclasses.replace(
        one.status, observed_generation=one.metadata.generation, engines=(failed, *others)
    )
    world.nodes["n1"] = dataclasses.replace(one, status=status)
