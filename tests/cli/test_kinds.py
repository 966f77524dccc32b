import pytest

from llmaz.api.kinds import (
    CONTROLLER_REVISION,
    HORIZONTAL_POD_AUTOSCALER,
    OPEN_MODEL,
    PLAYGROUND,
    POD,
    POD_DISRUPTION_BUDGET,
    SERVICE,
)
from llmaz.cli.errors import USAGE, CliError
from llmaz.cli.kinds import label, named


@pytest.mark.parametrize(
    "word", ["pl", "playground", "Playgrounds", "playgrounds.inference.llmaz.io"]
)
def test_a_kind_is_known_by_all_its_names(word: str) -> None:
    assert named(word) == PLAYGROUND


@pytest.mark.parametrize("word", ["po", "pods", "hpa", "pdb", "controllerrevisions"])
def test_what_the_controller_makes_can_be_looked_at(word: str) -> None:
    assert named(word) in (
        POD,
        HORIZONTAL_POD_AUTOSCALER,
        POD_DISRUPTION_BUDGET,
        CONTROLLER_REVISION,
    )


def test_of_two_kinds_of_one_name_the_one_of_llmaz_is_meant() -> None:
    assert named("services") == SERVICE


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(CliError, match="there is no kind 'jobs'") as caught:
        named("jobs")
    assert caught.value.code == USAGE
    assert "playgrounds" in caught.value.hint


def test_an_object_is_named_as_kubectl_names_it() -> None:
    assert label(OPEN_MODEL, "qwen") == "openmodel.llmaz.io/qwen"
