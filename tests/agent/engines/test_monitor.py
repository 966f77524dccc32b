"""What is told of an engine while it starts, and when its start is given up."""

import dataclasses
from pathlib import Path

from llmaz.api.node import EnginePhase
from support.engines import QUICK, Node, assigned, engines

ID = "default/fake-0"


async def test_an_engine_that_goes_on_listing_another_model_is_not_tried_again(
    state_dir: Path,
) -> None:
    patience = dataclasses.replace(QUICK, refusal_seconds=0.2)
    async with engines(state_dir, patience=patience) as under:
        node = Node(under)
        node.assigned = (assigned("fake-0", "--list-model", "other"),)
        report = await node.until_phase(EnginePhase.FAILED)
        said = "/v1/models lists other, not fake"
        assert (report.reason, report.message) == ("WrongModel", said)


async def test_a_start_is_told_in_words_for_a_user(state_dir: Path) -> None:
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned("fake-0", "--start-seconds", "2", "--load-seconds", "2"),)
        told: list[str] = []

        def is_ready() -> bool:
            report = node.reports[ID]
            if report.message not in told:
                told.append(report.message)
            return report.phase is EnginePhase.READY

        await node.until(is_ready, "the engine is ready")
        silent, loading = "the engine does not listen yet", "the engine is loading"
        known = (silent, f"{loading} (/health says 503)")
        assert tuple(words for words in told if words in known) == known
