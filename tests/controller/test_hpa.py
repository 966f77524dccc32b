"""HorizontalPodAutoscalers: whose rules they have, and when they go."""

import dataclasses
from typing import Any, cast

import pytest

from llmaz.api.backendruntime import BackendRuntime, MultiHostCommands, RecommendedConfig
from llmaz.api.kinds import HORIZONTAL_POD_AUTOSCALER
from llmaz.api.manifest import Manifest
from llmaz.api.playground import Playground
from llmaz.api.scaling import ElasticConfig, HpaTrigger, ScaleTrigger
from llmaz.controller.actions import ApplyOwned, DeleteOwned
from llmaz.controller.scaling.hpa import autoscalers
from llmaz.controller.scaling.targets import targets
from llmaz.controller.snapshot import ClusterSnapshot, Ref
from support.builders import flavor, model, playground, runtime

REF = Ref(kind=HORIZONTAL_POD_AUTOSCALER, namespace="default", name="chat")


def trigger(percent: int) -> ScaleTrigger:
    target = {"type": "Utilization", "averageUtilization": percent}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    return ScaleTrigger(hpa=HpaTrigger(metrics=(metric,)))


def elastic(own: ScaleTrigger | None, minimum: int = 1) -> Playground:
    one = playground("chat", "qwen")
    config = ElasticConfig(min_replicas=minimum, max_replicas=3, scale_trigger=own)
    return dataclasses.replace(one, spec=dataclasses.replace(one.spec, elastic_config=config))


def with_trigger(theirs: ScaleTrigger | None) -> BackendRuntime:
    config = RecommendedConfig(name="default", scale_trigger=theirs)
    return runtime(recommended_configs=(config,))


def snapshot(
    one: Playground, engine: BackendRuntime, seen: "Manifest | None" = None
) -> ClusterSnapshot:
    return ClusterSnapshot(
        playgrounds={("default", "chat"): one},
        runtimes={"vllm": engine},
        manifests={} if seen is None else {REF: seen},
    )


def made(one: Playground, engine: BackendRuntime) -> dict[str, Any]:
    (write,) = autoscalers(snapshot(one, engine))
    assert isinstance(write, ApplyOwned)
    return cast("dict[str, Any]", write.manifest)


@pytest.mark.parametrize(
    ("own", "theirs", "percent"),
    [
        (trigger(50), None, 50),
        (None, trigger(20), 20),
        (trigger(50), trigger(20), 50),
    ],
)
def test_a_playgrounds_own_rules_come_before_its_configurations(
    own: ScaleTrigger | None, theirs: ScaleTrigger | None, percent: int
) -> None:
    (metric,) = made(elastic(own), with_trigger(theirs))["spec"]["metrics"]
    assert metric["resource"]["target"]["averageUtilization"] == percent


def test_the_rules_are_those_of_the_configuration_that_serves_also_over_several_nodes() -> None:
    engine = runtime(
        multi_host_commands=MultiHostCommands(leader=("lead",)),
        recommended_configs=(
            RecommendedConfig(name="default", scale_trigger=trigger(20)),
            RecommendedConfig(name="model-parallelism", scale_trigger=trigger(70)),
        ),
    )
    seen = snapshot(elastic(None), engine)
    for flavors, percent in ((flavor("two", PP="2"),), 70), ((flavor("one"),), 20), (None, 20):
        models = {"qwen": model("qwen", *flavors)} if flavors else {}
        (write,) = autoscalers(dataclasses.replace(seen, models=models))
        assert isinstance(write, ApplyOwned)
        (metric,) = cast("dict[str, Any]", write.manifest)["spec"]["metrics"]
        assert metric["resource"]["target"]["averageUtilization"] == percent


def test_it_is_upstreams_object_and_belongs_to_the_playground() -> None:
    hpa = made(elastic(trigger(50)), with_trigger(None))
    assert (hpa["metadata"]["name"], hpa["metadata"]["namespace"]) == ("chat", "default")
    assert hpa["metadata"]["ownerReferences"][0]["uid"] == "uid-chat"
    assert hpa["spec"]["scaleTargetRef"] == {
        "apiVersion": "inference.llmaz.io/v1alpha1",
        "kind": "Playground",
        "name": "chat",
    }
    assert (hpa["spec"]["minReplicas"], hpa["spec"]["maxReplicas"]) == (1, 3)


def test_what_is_there_as_wanted_is_not_written_again() -> None:
    one, engine = elastic(trigger(50)), with_trigger(None)
    assert list(autoscalers(snapshot(one, engine, made(one, engine)))) == []


def test_it_goes_with_the_trigger_and_only_where_it_is_ours() -> None:
    one, engine = elastic(trigger(50)), with_trigger(None)
    seen = made(one, engine)
    seen["metadata"]["uid"] = "uid-hpa"
    bare = playground("chat", "qwen")
    assert list(autoscalers(snapshot(bare, engine, seen))) == [DeleteOwned(ref=REF, uid="uid-hpa")]
    seen["metadata"]["ownerReferences"][0]["uid"] = "another"
    assert list(autoscalers(snapshot(bare, engine, seen))) == []


def test_our_autoscaler_keeps_its_hands_off_but_for_the_last_replica() -> None:
    engine = with_trigger(trigger(50))
    assert targets(snapshot(elastic(None), engine)) == {}
    (target,) = targets(snapshot(elastic(None, minimum=0), engine)).values()
    assert target.policy.only_to_zero
    (target,) = targets(snapshot(elastic(None), with_trigger(None))).values()
    assert not target.policy.only_to_zero
