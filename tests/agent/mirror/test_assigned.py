"""What the endpoint fetches for whom, and what its fetches leave in the cache."""

from pathlib import Path

import pytest

from llmaz.agent.assignment import Assignment
from llmaz.agent.kept import AssignmentFile
from llmaz.agent.mirror.assigned import noted_by_agent, trees_of, why_not_fetched
from llmaz.agent.sharing.settings import MirrorFetch
from llmaz.api.node import AssignedModel, NodeSpec
from llmaz.api.source import ModelHub, ModelSource

MINE = AssignedModel(name="m", source=ModelSource(model_hub=ModelHub(model_id="acme/tiny")))
LOCAL = AssignedModel(name="l", source=ModelSource(uri="host:///weights"))
CACHE = Path("/cache")


@pytest.mark.parametrize(
    ("policy", "repository", "remote", "fetched"),
    [
        ("any", "acme/other", "10.0.0.9", True),
        ("assigned", "acme/tiny", "10.0.0.9", True),
        ("assigned", "acme/other", "10.0.0.9", False),
        ("assigned", "acme/other", None, False),
        ("assigned", "acme/other", "127.0.0.1", True),
        ("assigned", "acme/other", "::ffff:127.0.0.1", True),
        ("none", "acme/tiny", "127.0.0.1", False),
    ],
)
def test_other_machines_have_fetched_what_the_node_shall_hold(
    policy: MirrorFetch, repository: str, remote: str | None, fetched: bool
) -> None:
    spec = NodeSpec(models=(MINE, LOCAL))
    why_not = why_not_fetched(policy, ("hub", repository), remote, spec)
    assert (why_not is None) is fetched


def test_where_the_assignment_is_not_known_nothing_is_evicted_and_nothing_fetched_for_others(
    tmp_path: Path,
) -> None:
    (tmp_path / "assignment.json").write_text("{")
    for unknown in (noted_by_agent(None)(), noted_by_agent(tmp_path)()):
        assert unknown is None
    assert trees_of(CACHE, None) == {CACHE}
    assert why_not_fetched("assigned", ("hub", "acme/tiny"), "10.0.0.9", None) is not None


def test_what_is_assigned_stays_in_the_cache(tmp_path: Path) -> None:
    spec = NodeSpec(models=(MINE, LOCAL))
    AssignmentFile(tmp_path).save(Assignment(generation=2, spec=spec))
    assert noted_by_agent(tmp_path)() == spec
    assert trees_of(CACHE, spec) == {CACHE / "hub/models--acme--tiny"}
