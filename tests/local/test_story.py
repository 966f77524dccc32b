from llmaz.api.manifest import Json, decode
from llmaz.api.node import InferenceNode
from llmaz.api.playground import Playground
from llmaz.local.story import Facts, facts, news

GATEWAY = "http://127.0.0.1:8000/v1"


def playground(status: str = "", message: str = "") -> Playground:
    condition: Json = {"type": "Available", "status": status, "message": message}
    return decode(
        Playground,
        {
            "metadata": {"name": "qwen", "namespace": "default"},
            "spec": {"modelClaim": {"modelName": "qwen"}},
            "status": {"readyReplicas": 1, "conditions": [condition] if status else []},
        },
    )


def node(
    *, model: Json = None, engine: Json = None, accelerators: tuple[str, ...] = ()
) -> InferenceNode:
    assigned: Json = {
        "id": "default/qwen-0",
        "service": "qwen",
        "model": "qwen",
        "mainModel": "qwen",
        "accelerators": list(accelerators),
    }
    report: Json = None if engine is None else [{"id": "default/qwen-0", **_object(engine)}]
    return decode(
        InferenceNode,
        {
            "metadata": {"name": "gpu-1"},
            "spec": {"engines": [assigned]},
            "status": {
                "models": None if model is None else [{"name": "qwen", **_object(model)}],
                "engines": report,
            },
        },
    )


def _object(value: Json) -> dict[str, Json]:
    assert isinstance(value, dict)
    return value


def about(playgrounds: list[Playground], nodes: list[InferenceNode]) -> Facts:
    return facts(playgrounds, nodes, GATEWAY)


def test_a_playground_is_told_from_its_acceptance_to_its_endpoint() -> None:
    told = [
        about([one], [])["playground default/qwen"]
        for one in (playground(), playground("False", "no GPU is free"), playground("True"))
    ]
    assert told == [
        "accepted",
        "waits: no GPU is free",
        f"ready at {GATEWAY} as qwen (1 of 1 replicas)",
    ]


def test_an_engine_is_told_by_where_it_was_placed_until_its_agent_reports() -> None:
    assert about([], [node(accelerators=("GPU-1", "GPU-2"))]) == {
        "engine default/qwen-0": "placed on gpu-1, GPU-1, GPU-2"
    }
    ready: Json = {"phase": "Ready", "address": "10.0.0.1", "port": 80, "pid": 7}
    assert about([], [node(engine=ready)]) == {
        "engine default/qwen-0": "ready at 10.0.0.1:80 (pid 7)"
    }


def test_an_engine_that_fails_is_told_with_its_reason() -> None:
    failed: Json = {"phase": "Backoff", "message": "out of memory"}
    assert about([], [node(engine=failed)]) == {"engine default/qwen-0": "backoff: out of memory"}


def test_progress_is_news_only_at_every_tenth() -> None:
    def at(done: int) -> Facts:
        return about([], [node(model={"phase": "Fetching", "bytesDone": done, "bytesTotal": 200})])

    assert at(85)["weights of qwen"] == "40 %"
    assert news(at(81), at(98)) == []
    assert news(at(98), at(100)) == ["weights of qwen: 50 %"]


def test_only_what_changed_is_told_and_what_is_gone() -> None:
    before = {"a": "is", "b": "is", "c": "is"}
    assert news(before, {"a": "is", "b": "was", "d": "is"}) == ["b: was", "d: is", "c: gone"]
