"""All programs at work once: what they asked of the API server, and what their /metrics say."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from llmaz.api.kinds import (
    BACKEND_RUNTIME,
    CONFIG_MAP,
    CONTROLLER_REVISION,
    ENDPOINT_SLICE,
    EVENT,
    HORIZONTAL_POD_AUTOSCALER,
    INFERENCE_NODE,
    NODE,
    OPEN_MODEL,
    PLAYGROUND,
    POD,
    POD_DISRUPTION_BUDGET,
    SECRET,
    TENANT,
)
from llmaz.api.manifest import Json, Manifest, decode
from llmaz.api.meta import ObjectMeta
from llmaz.api.names import OWNED_LABELS, SERVICE_NAME, SYSTEM_NAMESPACE
from llmaz.controller.revisions import HISTORY
from llmaz.kube import Kube
from support.cluster import Agent, condition, eventually, install, make_namespace
from support.controlplane import EmbeddedServer
from support.nodes import FAKE_ENGINE
from support.plane import ControlPlane
from support.recorder import Call, Recorder, recorded
from support.weights import gguf

TEAM = "team"
NODE_NAME = "worker"
_URL = re.compile(r"http://[\d.]+:(\d+)")
_DISCOVERED = {"controller": "metrics at", "agent": "agent of node", "gateway": "listening at"}
_REFERENCES = [
    {"name": "A", "valueFrom": {"secretKeyRef": {"name": "modelhub-secret", "key": "HF_TOKEN"}}},
    {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "options", "key": "b"}}},
]


@dataclass(frozen=True)
class Evidence:
    """What was seen of each program, by its name."""

    calls: Mapping[str, frozenset[Call]]
    refused: Mapping[str, frozenset[Call]]
    metrics: Mapping[str, str]


@pytest.fixture(scope="session")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    directory = tmp_path_factory.mktemp("programs")
    server = EmbeddedServer(directory / "server")
    try:
        plane = server.start()
        yield asyncio.run(gather(plane, directory, lambda _: plane))
    finally:
        server.stop()


async def gather(
    plane: ControlPlane,
    directory: Path,
    account: Callable[[str], ControlPlane],
    address: str = "127.0.0.1",
) -> Evidence:
    """Have all programs do all that they do, each with the credentials of its account."""
    async with await Kube.connect(plane.kubeconfig) as kube:
        await _prepare(kube, directory)
        agent: tuple[str, ...] = (
            "--node-name",
            NODE_NAME,
            "--address",
            address,
            "--stop-engines-within",
            "1",
        )
        agent += ("--state-dir", str(directory / "agent"), "--cache-dir", str(directory / "cache"))
        async with (
            _program("controller", account, directory) as controller,
            _program("agent", account, directory, *agent) as agent_seen,
            _program("gateway", account, directory) as gateway,
        ):
            await _live(kube, gateway.log)
            seen = {"controller": controller, "agent": agent_seen, "gateway": gateway}
            metrics = {name: await one.metrics() for name, one in seen.items()}
    return Evidence(
        {name: frozenset(one.recorder.calls) for name, one in seen.items()},
        {name: frozenset(one.recorder.refused) for name, one in seen.items()},
        metrics,
    )


@dataclass(frozen=True)
class _Seen:
    name: str
    recorder: Recorder
    log: Path

    async def metrics(self) -> str:
        url = await _url(self.log, _DISCOVERED[self.name])
        async with aiohttp.ClientSession() as client, client.get(f"{url}/metrics") as answer:
            return await answer.text()


@asynccontextmanager
async def _program(
    name: str, account: Callable[[str], ControlPlane], directory: Path, *options: str
) -> AsyncIterator[_Seen]:
    kubeconfig, log = directory / f"{name}.kubeconfig", directory / f"{name}.log"
    async with recorded(account(name), kubeconfig) as recorder:
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"llmaz.{name}", "--listen", "127.0.0.1:0"),
                *("--kubeconfig", str(kubeconfig), *options),
                stderr=output,
            )
        try:
            yield _Seen(name, recorder, log)
        finally:
            process.terminate()
            async with asyncio.timeout(120):
                await process.wait()


async def _url(log: Path, words: str) -> str:
    async def line() -> str:
        lines = log.read_text().splitlines()
        return next((one for one in lines if words in one and _URL.search(one)), "")

    found = _URL.search(await eventually(line, bool))
    assert found is not None
    return f"http://127.0.0.1:{found[1]}"  # where all of them listen, whatever an agent says


async def _prepare(kube: Kube, directory: Path) -> None:
    """Do what helm and a kubelet do; an InferenceNode without an owner is left over."""
    await install(kube)
    for namespace in (SYSTEM_NAMESPACE, TEAM):
        await make_namespace(kube, namespace)
    await kube.create(NODE, {"metadata": {"name": NODE_NAME}})
    await kube.patch(NODE, NODE_NAME, {"spec": {"taints": None}})  # its kubelet says it is ready
    await kube.apply(INFERENCE_NODE, {"metadata": {"name": NODE_NAME}}, manager="tests")
    secret: Any = {"name": "modelhub-secret", "namespace": TEAM}
    await kube.create(SECRET, {"metadata": secret, "stringData": {"HF_TOKEN": "a"}})
    options: Any = {"name": "options", "namespace": TEAM}
    await kube.create(CONFIG_MAP, {"metadata": options, "data": {"b": "2"}})
    weights = directory / "model.gguf"
    weights.write_bytes(gguf())
    await _model(kube, "fake", f"host://{weights}")
    runtime: Any = {
        "command": [sys.executable, str(FAKE_ENGINE)],
        "image": "fake",
        "version": "1",
        "envs": _REFERENCES,
        "recommendedConfigs": [
            {
                "name": "default",
                "args": [
                    *("--host", "{{ .Host }}", "--port", "{{ .Port }}"),
                    *("--model", "{{ .ModelName }}"),
                ],
            }
        ],
    }
    team: Any = {"metadata": {"name": "team"}, "spec": {"namespaces": [TEAM]}}
    await kube.apply(TENANT, team, manager="tests")
    fake: Any = {"metadata": {"name": "fake"}, "spec": runtime}
    await kube.apply(BACKEND_RUNTIME, fake, manager="tests")


async def _model(kube: Kube, name: str, uri: str, **config: object) -> None:
    spec: Any = {"familyName": "family", "source": {"uri": uri}, **config}
    await kube.apply(OPEN_MODEL, {"metadata": {"name": name}, "spec": spec}, manager="tests")


async def _playground(
    kube: Kube, name: str, model: str, replicas: int, elastic: Json = None
) -> None:
    spec: Any = {
        "replicas": replicas,
        "modelClaim": {"modelName": model},
        "backendRuntimeConfig": {"backendName": "fake"},
    }
    if elastic is not None:
        spec["elasticConfig"] = elastic
    metadata: Any = {"name": name, "namespace": TEAM}
    await kube.apply(PLAYGROUND, {"metadata": metadata, "spec": spec}, manager="tests")


async def _live(kube: Kube, gateway_log: Path) -> None:
    """Serve, answer, scale down, tell the same mishap twice; have a node to label."""
    await _playground(kube, "served", "fake", 2)
    await _until(kube, "served", "PlaygroundReady")
    await _ask(await _url(gateway_log, _DISCOVERED["gateway"]))
    await _playground(kube, "served", "fake", 1)
    await eventually(lambda: kube.list(ENDPOINT_SLICE, TEAM), lambda found: len(found.items) == 1)
    await _scale(kube, await _url(gateway_log, _DISCOVERED["gateway"]))
    await _slot(kube)
    await _playground(kube, "waiting", "late", 1)
    await _until(kube, "waiting", "ModelNotFound")
    flavor = {"name": "none", "nodeSelector": {"no": "such"}, "limits": {"nvidia.com/gpu": 1}}
    await _model(kube, "late", "host:///none", inferenceConfig={"flavors": [flavor]})
    await _until(kube, "waiting", "Unplaceable")
    await kube.delete(OPEN_MODEL, "late")
    await _until(kube, "waiting", "ModelNotFound")
    await eventually(lambda: kube.list(EVENT, TEAM), lambda found: any(map(_twice, found.items)))
    await Agent(kube, "accelerated").register(gpus=1)
    await eventually(lambda: kube.get(NODE, "accelerated"), _labelled)


async def _slot(kube: Kube) -> None:
    """Have the pod of a slot made, and deleted when it is wanted no more, with its budget."""
    config: Any = {"backendRuntimeConfig": {"backendName": "fake", "launcher": "slot"}}
    spec: Any = {"replicas": 1, "modelClaim": {"modelName": "fake"}, **config}
    metadata: Any = {"name": "slotted", "namespace": TEAM}
    await kube.apply(PLAYGROUND, {"metadata": metadata, "spec": spec}, manager="tests")
    await eventually(lambda: kube.list(POD, TEAM), lambda found: len(found.items) == 1)
    budgets = partial(kube.list, POD_DISRUPTION_BUDGET, TEAM)
    await eventually(budgets, lambda found: len(found.items) == 1)
    await kube.patch(PLAYGROUND, "slotted", {"spec": {"replicas": 0}}, TEAM)
    await eventually(lambda: kube.list(POD, TEAM), lambda found: not found.items)
    await eventually(budgets, lambda found: not found.items)
    await kube.delete(PLAYGROUND, "slotted", TEAM)


async def _scale(kube: Kube, gateway: str) -> None:
    """Have one woken, one brought to its minimum; an autoscaler made, changed and deleted."""
    target = {"type": "Utilization", "averageUtilization": 80}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    trigger: Any = {"hpa": {"metrics": [metric]}}
    elastic: Any = {"maxReplicas": 3, "scaleTrigger": trigger}
    await _playground(kube, "elastic", "fake", 0, elastic)
    await _until_scaler(kube, lambda found: [_most(one) for one in found] == [3])
    await _playground(kube, "elastic", "fake", 0, elastic | {"maxReplicas": 4})
    await _until_scaler(kube, lambda found: [_most(one) for one in found] == [4])
    await _playground(kube, "elastic", "fake", 0, {"minReplicas": 0, "maxReplicas": 2})
    await _until_scaler(kube, lambda found: not found)
    question: Any = {"model": "elastic", "messages": []}
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{gateway}/v1/chat/completions", json=question) as answer,
    ):
        assert answer.status == 200
    await _update(kube, "elastic")
    elastic = {"minReplicas": 2, "maxReplicas": 2}
    await kube.patch(PLAYGROUND, "elastic", {"spec": {"elasticConfig": elastic}}, TEAM)
    await eventually(lambda: kube.get(PLAYGROUND, "elastic", TEAM), lambda one: _wanted(one) == 2)
    await kube.delete(PLAYGROUND, "elastic", TEAM)


async def _update(kube: Kube, name: str) -> None:
    """Edit a Playground so often that its first revisions are forgotten."""
    for edit in range(HISTORY + 1):
        config: Any = {"backendRuntimeConfig": {"args": [f"--edit-{edit}"]}}
        await kube.patch(PLAYGROUND, name, {"spec": config}, TEAM)
        newest = edit + 2  # after the one that it was made with
        await eventually(partial(_revisions, kube, name), partial(_is_recorded, newest))


async def _revisions(kube: Kube, name: str) -> list[object]:
    listing = await kube.list(CONTROLLER_REVISION, TEAM, label_selector=f"{SERVICE_NAME}={name}")
    return [one["revision"] for one in listing.items]


def _is_recorded(newest: int, revisions: list[object]) -> bool:
    return newest in revisions and len(revisions) <= HISTORY


async def _until_scaler(kube: Kube, holds: Callable[[tuple[Manifest, ...]], bool]) -> None:
    await eventually(
        lambda: kube.list(HORIZONTAL_POD_AUTOSCALER, TEAM), lambda found: holds(found.items)
    )


def _most(autoscaler: Manifest) -> object:
    spec: Any = autoscaler["spec"]
    return spec["maxReplicas"]


def _wanted(playground: Manifest) -> object:
    spec: Any = playground["spec"]
    return spec["replicas"]


def _twice(event: Manifest) -> bool:
    return (event["reason"], event["count"]) == ("ModelNotFound", 2)


def _labelled(node: Manifest) -> bool:
    return OWNED_LABELS in decode(ObjectMeta, node["metadata"]).annotations


async def _until(kube: Kube, name: str, reason: str) -> None:
    await eventually(
        lambda: kube.get(PLAYGROUND, name, TEAM),
        lambda found: condition(found, "Available").get("reason") == reason,
    )


async def _ask(gateway: str) -> None:
    question: Any = {"model": "served", "messages": [{"role": "user", "content": "hello"}]}
    async with aiohttp.ClientSession() as client:

        async def status() -> int:
            async with client.post(f"{gateway}/v1/chat/completions", json=question) as answer:
                await answer.read()
                return answer.status

        await eventually(status, lambda code: code == 200)
        async with client.post(f"{gateway}/v1/chat/completions", json={"model": "none"}) as refusal:
            assert refusal.status == 404
