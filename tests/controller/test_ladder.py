"""The ladder of an idle Playground: asleep, stopped with warm weights, released."""

import dataclasses
from datetime import timedelta

from llmaz.api.node import EnginePhase, EngineReport, ModelPhase, ModelReport
from llmaz.api.pod import EnvVar
from llmaz.api.scaling import ElasticConfig, LoadTargets
from llmaz.api.sleep import SleepCalls, SleepMode
from llmaz.controller.plan import plan
from llmaz.controller.scaling.targets import targets
from support.builders import flavor, model, node, playground, runtime
from support.controlling import World, told

ID = "default/chat-0"
MODE = SleepMode(
    args=("--can-sleep",),
    envs=(EnvVar(name="DEV", value="1"),),
    calls=SleepCalls(sleep="/sleep", wake="/wake"),
)
LOAD = LoadTargets(sleep_seconds=60, idle_seconds=300, release_seconds=3600)


def world(mode: SleepMode | None = MODE, load: LoadTargets = LOAD, replicas: int = 1) -> World:
    chat = playground("chat", "qwen", replicas)
    elastic = ElasticConfig(min_replicas=0, max_replicas=3, load=load)
    spec = dataclasses.replace(chat.spec, elastic_config=elastic)
    made = World().add(
        model("qwen", flavor("a10")),
        runtime("vllm", sleep=mode),
        dataclasses.replace(chat, spec=spec),
        node("n1", 3),
    )
    made.settle()
    return made


def at_zero(mode: SleepMode | None = MODE, load: LoadTargets = LOAD, replicas: int = 1) -> World:
    made = world(mode, load, replicas)
    made.edit("chat", 0)
    made.settle()
    return made


def later(one: World, seconds: float) -> World:
    one.now += timedelta(seconds=seconds)
    one.settle()
    return one


def held(one: World) -> set[str]:
    return {assigned.name for assigned in one.nodes["n1"].spec.models}


def says(one: World, phase: EnginePhase) -> None:
    """Let the agent report another phase of the engine, and no more for now."""
    status = one.nodes["n1"].status
    reports: tuple[EngineReport, ...] = tuple(
        dataclasses.replace(report, phase=phase) for report in status.engines or ()
    )
    told_ = dataclasses.replace(status, engines=reports)
    one.nodes["n1"] = dataclasses.replace(one.nodes["n1"], status=told_)


def test_an_engine_is_made_able_to_sleep_only_where_its_playground_asks_for_it() -> None:
    (engine,) = world().nodes["n1"].spec.engines
    assert engine.sleep == MODE.calls
    assert engine.args[-1] == "--can-sleep"
    assert EnvVar(name="DEV", value="1") in engine.env
    (other,) = world(load=LoadTargets()).nodes["n1"].spec.engines
    assert other.sleep is None
    assert "--can-sleep" not in other.args


def test_a_playground_at_zero_sleeps_where_it_is_and_keeps_its_accelerators() -> None:
    before = world().engines()
    one = at_zero()
    (engine,) = one.nodes["n1"].spec.engines
    assert engine.asleep
    assert one.engines() == before
    condition = one.available("chat")
    assert told(condition) == ("False", "Asleep")
    assert condition is not None
    assert condition.message == (
        "sleeps on n1, where it keeps its accelerators; a request wakes it"
    )
    assert one.playground("chat").status.ready == "0/0"


def test_only_the_first_of_several_replicas_sleeps() -> None:
    assert set(at_zero(replicas=3).engines()) == {ID}


def test_it_stops_after_its_idle_time_and_its_weights_stay() -> None:
    one = later(at_zero(), 239)
    assert set(one.engines()) == {ID}
    later(one, 2)
    assert one.engines() == {}
    assert held(one) == {"qwen"}
    condition = one.available("chat")
    assert told(condition) == ("False", "ScaledToZero")
    assert condition is not None
    assert condition.message == "no replicas are asked for; its weights stay on n1"


def test_its_weights_are_released_in_the_end() -> None:
    one = later(at_zero(), 3539)
    assert held(one) == {"qwen"}
    later(one, 2)
    assert held(one) == set()


def test_an_engine_that_cannot_sleep_stops_and_its_weights_stay() -> None:
    one = at_zero(mode=None)
    assert one.engines() == {}
    assert held(one) == {"qwen"}
    assert held(later(one, 3299)) == {"qwen"}
    assert held(later(one, 2)) == set()


def test_weights_that_a_node_has_lost_are_not_fetched_for_nobody() -> None:
    one = at_zero(mode=None)
    pending = ModelReport(name="qwen", phase=ModelPhase.PENDING)
    status = dataclasses.replace(one.nodes["n1"].status, models=(pending,))
    one.nodes["n1"] = dataclasses.replace(one.nodes["n1"], status=status)
    one.decide()
    assert held(one) == set()


def test_the_plan_looks_again_when_the_next_rung_is_due() -> None:
    one = at_zero()
    one.lost = {"n1": one.now + timedelta(days=1)}
    assert plan(one.snapshot(), one.now).look_again_in == 240


def test_a_request_wakes_it_in_place() -> None:
    one = later(at_zero(), 100)
    before = one.engines()
    one.edit("chat", 1)
    one.settle()
    (engine,) = one.nodes["n1"].spec.engines
    assert not engine.asleep
    assert one.engines() == before
    assert told(one.available("chat")) == ("True", "PlaygroundReady")
    assert one.playground("chat").status.idle_since is None


def test_it_is_woken_before_its_service_says_that_it_is_wanted() -> None:
    one = at_zero()
    one.edit("chat", 1)
    one.services[("default", "chat")] = dataclasses.replace(one.services[("default", "chat")])
    for action in one.plan():
        one.perform(action)
    (engine,) = one.nodes["n1"].spec.engines
    assert not engine.asleep


def test_one_that_ended_in_its_sleep_is_not_started_anew() -> None:
    one = at_zero()
    says(one, EnginePhase.BACKOFF)
    one.decide()
    assert one.engines() == {}


def test_one_whose_agent_is_silent_sleeps_on() -> None:
    one = at_zero()
    status = dataclasses.replace(one.nodes["n1"].status, engines=None)
    one.nodes["n1"] = dataclasses.replace(one.nodes["n1"], status=status)
    one.decide()
    assert set(one.engines()) == {ID}


def test_one_that_would_have_to_start_anew_in_order_to_sleep_stops() -> None:
    one = at_zero()
    one.add(runtime("vllm", "--other", sleep=MODE))
    one.settle()
    assert one.engines() == {}
    assert held(one) == {"qwen"}


def test_nothing_takes_the_accelerators_of_one_that_sleeps() -> None:
    one = at_zero()
    one.add(playground("other", "qwen", replicas=3))
    one.settle()
    taken = [uuid for _, uuids in one.engines().values() for uuid in uuids]
    assert len(taken) == len(set(taken)) == 3
    assert told(one.available("other")) == ("False", "Unplaceable")


def test_the_autoscaler_lets_it_sleep_sooner_than_it_would_stop() -> None:
    (target,) = targets(world().snapshot()).values()
    assert (target.policy.sleeps, target.policy.rest_seconds) == (True, 60)
    (other,) = targets(world(mode=None).snapshot()).values()
    assert (other.policy.sleeps, other.policy.rest_seconds) == (False, 300)
