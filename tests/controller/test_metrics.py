from llmaz.controller.metrics import Metrics
from support.controlling import World, flavor, model, node, playground, runtime


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
    metrics.decided(0.002)
    sample = metrics.registry.get_sample_value
    assert sample("llmaz_controller_actions_total", {"action": "ApplyOwned"}) == 1
    assert sample("llmaz_controller_failed_actions_total") == 1
    assert sample("llmaz_controller_plan_seconds_bucket", {"le": "0.003"}) == 1
