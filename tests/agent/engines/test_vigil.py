"""What is told of an engine that is ready."""

import dataclasses
from itertools import pairwise
from pathlib import Path

from llmaz.api.node import EnginePhase
from support.engines import QUICK, Node, assigned, engines


async def test_the_tokens_by_which_an_idle_engine_proves_its_life_are_told_apart(
    state_dir: Path,
) -> None:
    patience = dataclasses.replace(QUICK, watch_seconds=0.02, idle_seconds=0.1)
    async with engines(state_dir, patience=patience) as under:
        node = Node(under)
        node.assigned = (assigned("fake-0"),)
        await node.until_phase(EnginePhase.READY)
        told: list[tuple[float | None, int]] = []

        def has_proven_it_thrice() -> bool:
            told.extend((each.generation_tokens, each.proofs) for _, each in under.numbers())
            return len({tokens for tokens, _ in told}) > 3

        await node.until(has_proven_it_thrice, "three tokens were asked for")
        moved = [(old, new) for old, new in pairwise(told) if old[0] != new[0]]
        assert all(new[1] > old[1] for old, new in moved)
