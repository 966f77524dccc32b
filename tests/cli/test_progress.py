import asyncio

import pytest

from llmaz.api.manifest import Json, decode
from llmaz.api.node import EnginePhase, InferenceNode, ModelPhase
from llmaz.api.playground import Playground
from llmaz.cli.progress import Progress, follow, progress
from llmaz.kube import Kube, Unavailable
from llmaz.local.install import install
from support.controlplane import EmbeddedServer


def qwen(status: str = "", reason: str = "", message: str = "", *, observed: int = 1) -> Playground:
    condition: Json = {
        "type": "Available",
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": observed,
    }
    return decode(
        Playground,
        {
            "metadata": {"name": "qwen", "namespace": "default", "generation": 1},
            "spec": {"modelClaim": {"modelName": "qwen"}},
            "status": {"conditions": [condition] if status else []},
        },
    )


def node(
    *,
    weights: ModelPhase = ModelPhase.READY,
    engine: EnginePhase = EnginePhase.STARTING,
    message: str = "",
) -> InferenceNode:
    engine_id = "default/qwen-0"
    return decode(
        InferenceNode,
        {
            "metadata": {"name": "gpu-1"},
            "spec": {
                "engines": [
                    {"id": engine_id, "service": "qwen", "model": "qwen", "mainModel": "qwen"}
                ]
            },
            "status": {
                "models": [{"name": "qwen", "phase": weights.value}],
                "engines": [{"id": engine_id, "phase": engine.value, "message": message}],
            },
        },
    )


def test_a_playground_without_a_condition_is_accepted() -> None:
    assert progress(qwen(), []) == Progress()


def test_a_playground_says_where_its_engine_was_placed_and_how_it_is() -> None:
    now = progress(qwen("False", "StartingEngine", "the engine is starting"), [node()])
    assert (now.placed_on, now.has_weights, now.available) == ("gpu-1", True, False)
    assert (now.sentence, now.hopeless) == ("the engine is starting", False)


def test_weights_on_their_way_are_not_there() -> None:
    assert not progress(qwen(), [node(weights=ModelPhase.FETCHING)]).has_weights


def test_an_available_playground_is_available() -> None:
    assert progress(qwen("True", "PlaygroundReady"), [node(engine=EnginePhase.READY)]).available


def test_a_condition_about_an_older_generation_does_not_count() -> None:
    assert progress(qwen("True", "PlaygroundReady", observed=0), []) == Progress()


def test_what_fits_nowhere_is_hopeless() -> None:
    now = progress(qwen("False", "Unplaceable", "0 of 1 nodes fit"), [])
    assert (now.hopeless, now.sentence) == (True, "0 of 1 nodes fit")


def test_an_engine_that_ended_is_hopeless_and_says_why() -> None:
    now = progress(
        qwen("False", "StartingEngine"), [node(engine=EnginePhase.BACKOFF, message="died")]
    )
    assert (now.hopeless, now.sentence) == (True, "died")


def test_a_playground_that_is_gone_is_hopeless() -> None:
    assert progress(None, []) == Progress(sentence="gone", hopeless=True)


async def test_who_waits_is_told_when_the_api_server_is_gone(
    embedded_server: EmbeddedServer,
) -> None:
    plane = embedded_server.start()
    async with await Kube.connect(plane.kubeconfig) as kube:
        await install(kube, lambda _: None)
        waiting = asyncio.create_task(
            follow(kube, "default", "qwen", lambda _: None, away_seconds=0.5)
        )
        embedded_server.kill()
        with pytest.raises(Unavailable):
            await waiting
