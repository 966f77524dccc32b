import dataclasses
from datetime import UTC, datetime, timedelta

from llmaz.api.playground import BackendRuntimeConfig
from llmaz.controller.actions import Plan
from llmaz.controller.metrics import Metrics
from llmaz.controller.plan import plan
from support.builders import flavor, model, node, playground, runtime
from support.controlling import World, told


def test_gauges_say_what_was_seen_last() -> None:
    world = World().add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen", 2), node("n1", 1)
    )
    world.settle()
    metrics = Metrics()
    metrics.saw(world.snapshot())
    metrics.saw(world.snapshot())

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"llmaz_controller_{name}", labels)

    assert value("objects", kind="InferenceNode") == 1
    assert (value("replicas", state="wanted"), value("replicas", state="ready")) == (2, 1)
    assert value("playgrounds", reason="Unplaceable") == 1


def test_actions_and_the_time_to_decide_are_counted() -> None:
    world = World().add(model("qwen"), runtime(), playground("chat", "qwen"), node("n1"))
    metrics = Metrics()
    for action in world.plan():
        metrics.performed(action)
    metrics.failed()
    metrics.decided(0.002, Plan())
    sample = metrics.registry.get_sample_value
    assert sample("llmaz_controller_actions_total", {"action": "ApplyOwned"}) == 1
    assert sample("llmaz_controller_failed_actions_total") == 1
    assert sample("llmaz_controller_plan_seconds_bucket", {"le": "0.003"}) == 1


def test_what_waits_is_counted_by_why_and_refusals_when_they_begin() -> None:
    world = World().add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen", 3), node("n1", 1)
    )
    world.settle()
    metrics = Metrics()
    for _ in range(2):
        metrics.decided(0.002, plan(world.snapshot(), world.now))
    sample = metrics.registry.get_sample_value
    unplaceable = {"reason": "Unplaceable"}
    assert sample("llmaz_controller_waiting_replicas", unplaceable) == 2
    assert sample("llmaz_controller_refusals_total", unplaceable) == 2
    world.edit("chat", 1)
    world.settle()
    metrics.decided(0.002, plan(world.snapshot(), world.now))
    assert sample("llmaz_controller_waiting_replicas", unplaceable) is None
    assert sample("llmaz_controller_refusals_total", unplaceable) == 2


def test_a_controller_that_stands_by_tells_nothing_of_what_it_saw_while_it_led() -> None:
    world = World().add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen", 3), node("n1", 1)
    )
    world.settle()
    metrics = Metrics()
    untold = {one.name: one.samples for one in metrics.registry.collect() if one.type == "gauge"}
    metrics.decided(0.002, plan(world.snapshot(), world.now))
    metrics.saw(world.snapshot())
    assert metrics.registry.get_sample_value("llmaz_controller_longest_wait_seconds")
    metrics.stands_by()
    told = {one.name: one.samples for one in metrics.registry.collect() if one.type == "gauge"}
    assert told == untold
    unplaceable = {"reason": "Unplaceable"}
    assert metrics.registry.get_sample_value("llmaz_controller_refusals_total", unplaceable) == 2


def test_the_longest_wait_is_that_of_a_playground_that_shall_be_available() -> None:
    world = World().add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen", 1), node("n1", 0)
    )
    world.now = datetime.now(UTC) - timedelta(minutes=5)
    world.settle()
    metrics = Metrics()
    sample = metrics.registry.get_sample_value
    assert sample("llmaz_controller_longest_wait_seconds") == 0
    metrics.saw(world.snapshot())
    waited = sample("llmaz_controller_longest_wait_seconds")
    assert waited is not None
    assert waited >= 300
    world.edit("chat", 0)
    world.settle()
    metrics.saw(world.snapshot())
    assert sample("llmaz_controller_longest_wait_seconds") == 0


def test_the_wait_of_what_comes_back_from_zero_begins_when_it_is_called_back() -> None:
    world = World().add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen", 0), node("n1", 0)
    )
    world.now = datetime.now(UTC) - timedelta(hours=1)
    world.settle()
    metrics = Metrics()
    metrics.saw(world.snapshot())
    world.edit("chat", 1)
    world.settle()
    metrics.saw(world.snapshot())
    assert told(world.available("chat")) == ("False", "Unplaceable")
    waited = metrics.registry.get_sample_value("llmaz_controller_longest_wait_seconds")
    assert waited is not None
    assert waited < 1800


def test_an_update_is_counted_once_for_each_turn_that_it_takes() -> None:
    world = World().add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen"), node("n1", 1)
    )
    world.settle()
    world.events.clear()
    old = world.playground("chat")
    config = BackendRuntimeConfig(args=("--new",))
    spec = dataclasses.replace(old.spec, backend_runtime_config=config)
    world.add(dataclasses.replace(old, spec=spec))
    world.settle()
    metrics = Metrics()
    for event in world.events:
        metrics.performed(event)
    sample = metrics.registry.get_sample_value
    assert sample("llmaz_controller_rollouts_total", {"turn": "started"}) == 1
    assert sample("llmaz_controller_rollouts_total", {"turn": "completed"}) == 1
