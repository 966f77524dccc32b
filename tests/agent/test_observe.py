"""The assignment as the agent sees it over time."""

from pathlib import Path

import pytest

from llmaz.agent.assignment import Assignment
from llmaz.agent.kept import AssignmentFile
from llmaz.agent.observe import AssignmentWatch
from llmaz.api.manifest import Manifest
from llmaz.api.node import NodeSpec


class Shown:
    """The object that a watch shows."""

    def __init__(self) -> None:
        self.manifest: Manifest | None = None

    def __call__(self) -> "Manifest | None":
        return self.manifest

    def assign(self, generation: int, **spec: object) -> None:
        self.manifest = {"metadata": {"generation": generation}, "spec": {**spec}}  # type: ignore[dict-item]  # a test's JSON


EMPTY = Assignment(generation=2, spec=NodeSpec())


def test_an_object_that_goes_away_leaves_its_assignment(tmp_path: Path) -> None:
    shown = Shown()
    watch = AssignmentWatch(shown, AssignmentFile(tmp_path))
    shown.assign(2)
    assert watch.look() == (EMPTY, None)
    shown.manifest = None
    assert watch.look() == (EMPTY, None)
    shown.manifest = {"metadata": {"generation": 1}}
    assert watch.look() == (EMPTY, None)


def test_a_refused_assignment_leaves_the_one_before_until_it_is_mended(tmp_path: Path) -> None:
    shown = Shown()
    watch = AssignmentWatch(shown, AssignmentFile(tmp_path))
    shown.assign(2)
    watch.look()
    shown.assign(3, engines="none")
    assignment, refusal = watch.look()
    assert assignment == EMPTY
    assert refusal is not None
    assert refusal.message == "spec.engines: must be a list, not a string"
    shown.assign(4)
    assert watch.look() == (Assignment(generation=4, spec=NodeSpec()), None)


def test_an_agent_that_starts_alone_goes_on_with_what_was_assigned(tmp_path: Path) -> None:
    AssignmentFile(tmp_path).save(EMPTY)
    assert AssignmentWatch(Shown(), AssignmentFile(tmp_path)).look() == (EMPTY, None)


def test_a_file_that_cannot_be_read_is_said_and_counts_as_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "assignment.json").write_text("{torn")
    assert AssignmentWatch(Shown(), AssignmentFile(tmp_path)).look() == (None, None)
    assert "can't be read from the disk" in caplog.text
