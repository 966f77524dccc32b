"""Engines that fail as they are assigned, as their agent tells of them."""

import dataclasses

from llmaz.api.node import EnginePhase, EngineReport, fingerprint
from support.controlling import World


def fail_first(world: World) -> None:
    """Let the first engine of the node fail as it is assigned now."""
    one = world.nodes["n1"]
    first = one.spec.engines[0]
    failed = EngineReport(
        id=first.id, phase=EnginePhase.FAILED, fingerprint=fingerprint(first), reason="BadArguments"
    )
    others = (report for report in one.status.engines or () if report.id != first.id)
    status = dataclasses.replace(
        one.status, observed_generation=one.metadata.generation, engines=(failed, *others)
    )
    world.nodes["n1"] = dataclasses.replace(one, status=status)
