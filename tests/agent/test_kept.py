"""The assignment that an agent leaves to the next."""

from pathlib import Path

from llmaz.agent.assignment import Assignment
from llmaz.agent.kept import AssignmentFile
from llmaz.api.node import AssignedEngine, NodeSpec

ENGINE = AssignedEngine(id="default/a-0", service="a", model="a", main_model="a")
ASSIGNED = Assignment(generation=2, spec=NodeSpec(engines=(ENGINE,)))


def test_what_was_saved_is_loaded_by_the_next_agent(tmp_path: Path) -> None:
    assert AssignmentFile(tmp_path).load() is None
    AssignmentFile(tmp_path).save(ASSIGNED)
    assert AssignmentFile(tmp_path).load() == ASSIGNED
