"""What users write in a simulated cluster, in any order: Playgrounds, models and a runtime."""

from typing import Any, cast

from llmaz.api.kinds import BACKEND_RUNTIME, OPEN_MODEL, PLAYGROUND, SERVICE, Kind
from llmaz.controller.snapshot import Ref
from support.simulator.agents import NEVER_READY
from support.simulator.world import World

RUNTIME = Ref(kind=BACKEND_RUNTIME, name="vllm")
MODEL_OF = {"p0": "m0", "p1": "m1", "p2": "m0", "p3": "m2"}
GPU = "nvidia.com/gpu"
_ARGS = ["--model", "{{ .ModelPath }}", "--tp", "{{ .TP }}", "--port", "{{ .Port }}"]
# The second is the fallback of the first; a replica of m2 is a group of two nodes, or runs on a
# larger one.
_FLAVORS: dict[str, list[dict[str, Any]]] = {
    "m0": [
        {"name": "one", "limits": {GPU: 1}, "nodeSelector": {"pool": "a"}},
        {"name": "two", "limits": {GPU: 2}, "params": {"TP": "2"}},
    ],
    "m1": [{"name": "two", "limits": {GPU: 2}, "params": {"TP": "2"}}],
    "m2": [
        {"name": "pair", "limits": {GPU: 1}, "params": {"TP": "1", "PP": "2"}},
        {"name": "four", "limits": {GPU: 4}, "params": {"TP": "4"}},
    ],
}


def serve(world: World, name: str, replicas: int) -> None:
    world.rules.excuse_playground(name)
    world.rules.roughen(name)
    claim = {"modelName": MODEL_OF[name]}
    old = _spec(world, PLAYGROUND, name)
    world.server.put(
        _playground(name), {"spec": {**old, "modelClaim": claim, "replicas": replicas}}
    )


def edit(world: World, name: str, arg: str) -> None:
    old = _spec(world, PLAYGROUND, name)
    if old:
        world.rules.excuse_playground(name)
        config = {"backendName": "vllm", "args": [arg]}
        world.server.put(_playground(name), {"spec": {**old, "backendRuntimeConfig": config}})


def surge(world: World, name: str, most: int) -> None:
    """Let a Playground's Service have replicas in excess, if it is there."""
    old = _spec(world, SERVICE, name)
    if old:
        world.rules.excuse_playground(name)
        rolling = {"maxSurge": most, "maxUnavailable": 1 - most}
        strategy = {"type": "RollingUpdate", "rollingUpdateConfiguration": rolling}
        world.server.put(_service(name), {"spec": {**old, "rolloutStrategy": strategy}})


def withdraw(world: World, name: str) -> None:
    world.rules.excuse_playground(name)
    world.server.remove(_playground(name))


def delete_service(world: World, name: str) -> None:
    world.rules.excuse_playground(name)
    world.server.remove(_service(name))


def offer(world: World, name: str, revision: str) -> None:
    for playground, model in MODEL_OF.items():
        if model == name:
            world.rules.excuse_playground(playground)
            # Where no flavor that is left allows a replica to be, it ends, wherever else it fits.
            world.rules.roughen(playground)
    flavors = _FLAVORS[name][-1:] if revision == "last flavor only" else _FLAVORS[name]
    hub = {"modelID": f"org/{name}", "revision": "v2" if revision == "v2" else "v1"}
    spec = {
        "familyName": "f",
        "source": {"modelHub": hub},
        "inferenceConfig": {"flavors": flavors},
    }
    world.server.put(Ref(kind=OPEN_MODEL, name=name), {"spec": spec})


def drop(world: World, name: str) -> None:
    world.server.remove(Ref(kind=OPEN_MODEL, name=name))


def provide(world: World, version: str) -> None:
    for name in MODEL_OF:
        world.rules.excuse_playground(name)
    spec = {
        "command": ["serve"],
        "image": "engine",
        "version": version,
        "recommendedConfigs": [
            {"name": "default", "args": _ARGS},
            {"name": "model-parallelism", "args": _ARGS},
        ],
        "multiHostCommands": {"leader": ["lead"], "worker": ["work", version]},
    }
    world.server.put(RUNTIME, {"spec": spec})


def take_away(world: World) -> None:
    world.server.remove(RUNTIME)


def mend(world: World) -> None:
    """Take back every edit with which no engine becomes ready."""
    for name in MODEL_OF:
        config = _spec(world, PLAYGROUND, name).get("backendRuntimeConfig", {})
        if NEVER_READY in config.get("args", ()):
            edit(world, name, "--x")


def _spec(world: World, kind: Kind, name: str) -> dict[str, Any]:
    found = world.server.objects.get(Ref(kind=kind, namespace="default", name=name))
    return cast("dict[str, Any]", found["spec"]) if found else {}


def _playground(name: str) -> Ref:
    return Ref(kind=PLAYGROUND, namespace="default", name=name)


def _service(name: str) -> Ref:
    return Ref(kind=SERVICE, namespace="default", name=name)
