"""What nodes report of their models, in rows."""

from llmaz.api.meta import ObjectMeta
from llmaz.api.node import InferenceNode, ModelPhase, ModelReport, NodeStatus
from llmaz.cli.reported import HEADERS, reports, row

FETCHING = ModelReport(
    name="m",
    phase=ModelPhase.FETCHING,
    bytes_done=2**29,
    bytes_total=2**30,
    bytes_per_second=2**26,
    fetched_from="both",
    seconds_left=8,
)


def _node(name: str, *models: ModelReport) -> InferenceNode:
    return InferenceNode(metadata=ObjectMeta(name=name), status=NodeStatus(models=models))


def test_a_fetch_says_how_far_it_is_how_fast_from_where_and_how_long_it_takes() -> None:
    told = dict(zip(HEADERS, row("n", FETCHING), strict=True))
    assert (told["Size"], told["Done"], told["Rate"]) == ("1.0Gi", "50%", "64.0Mi/s")
    assert (told["From"], told["Left"]) == ("both", "8s")


def test_what_is_not_known_stays_empty() -> None:
    assert row("n", ModelReport(name="m", phase=ModelPhase.PENDING))[3:] == [""] * 7


def test_a_failure_says_why() -> None:
    failed = ModelReport(name="m", phase=ModelPhase.FAILED, reason="Gated", message="no token")
    assert row("n", failed)[-1] == "Gated: no token"


def test_rows_are_ordered_by_node_and_model() -> None:
    pending = ModelReport(name="a", phase=ModelPhase.PENDING)
    found = reports([_node("b", FETCHING), _node("a", FETCHING, pending)])
    assert [(node, model.name) for node, model in found] == [("a", "a"), ("a", "m"), ("b", "m")]
