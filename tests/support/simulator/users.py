"""What users write, in any order: Playgrounds and their places, models, a runtime, tenants."""

from typing import Any, cast

from llmaz.api.kinds import BACKEND_RUNTIME, OPEN_MODEL, PLAYGROUND, SERVICE, TENANT, Kind
from llmaz.controller.snapshot import Ref
from support.simulator.agents import NEVER_READY
from support.simulator.world import World

RUNTIME = Ref(kind=BACKEND_RUNTIME, name="vllm")
MODEL_OF = {"p0": "m0", "p1": "m1", "p2": "m0", "p3": "m2"}
NAMESPACE_OF = {"p0": "default", "p1": "default", "p2": "lab", "p3": "lab"}
TENANT_OF = {"default": "t0", "lab": "t1"}  # while they exist
GPU = "nvidia.com/gpu"
_ARGS = ["--model", "{{ .ModelPath }}", "--tp", "{{ .TP }}", "--port", "{{ .Port }}"]
# The second is the fallback of the first; a replica of m2 is a group of two nodes, or runs on a
# larger one.
_FLAVORS: dict[str, list[dict[str, Any]]] = {
    "m0": [
        {
            "name": "one",
            "limits": {GPU: 1},
            "nodeSelector": {"pool": "a"},
            "params": {"TP": "1"},
        },
        {"name": "two", "limits": {GPU: 2}, "params": {"TP": "2"}},
    ],
    "m1": [{"name": "two", "limits": {GPU: 2}, "params": {"TP": "2"}}],
    "m2": [
        {"name": "pair", "limits": {GPU: 1}, "params": {"TP": "1", "PP": "2"}},
        {"name": "four", "limits": {GPU: 4}, "params": {"TP": "4"}},
    ],
}


# What a Playground may say of where it runs, by a word for it.
_PLACEMENTS: dict[str, dict[str, Any]] = {
    "anywhere": {},
    "low": {"priorityClassName": "low"},
    "high": {"priorityClassName": "high"},
    "patient": {"priorityClassName": "patient"},
    "spread": {"strategy": "spread"},
    "spot": {"capacity": {"base": 1}},
    "move back": {"moveBack": {"afterSeconds": 30}},
}
_LADDER = {"sleepSeconds": 60, "idleSeconds": 300, "releaseSeconds": 600}


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


def place(world: World, name: str, where: str) -> None:
    """Say of a Playground how important it is, or where it shall run."""
    old = _spec(world, PLAYGROUND, name)
    if old:
        world.rules.excuse_playground(name)
        world.rules.roughen(name)
        world.rules.claims.rank(name)
        world.server.put(_playground(name), {"spec": {**old, "placement": _PLACEMENTS[where]}})


def idle(world: World, name: str, may_stop: bool) -> None:
    """Let a Playground, if it is there, sleep and stop while nobody asks, or never."""
    old = _spec(world, PLAYGROUND, name)
    if old:
        world.rules.excuse_playground(name)
        world.rules.roughen(name)
        elastic = {"minReplicas": 0 if may_stop else 1, "maxReplicas": 3, "load": _LADDER}
        world.server.put(_playground(name), {"spec": {**old, "elasticConfig": elastic}})


def rest(world: World, name: str) -> None:
    """Let nobody ask for a Playground that may stop; else it may from now on."""
    old = _spec(world, PLAYGROUND, name)
    if old.get("elasticConfig", {}).get("minReplicas") == 0:
        serve(world, name, 0)
    else:
        idle(world, name, may_stop=True)


def share(world: World, namespace: str, quota: int, limit: int | None) -> None:
    """Give a namespace accelerators of its own, and a bound to what it may borrow."""
    world.rules.claims.redivide()
    spec: dict[str, Any] = {"namespaces": [namespace], "quota": {GPU: quota}}
    if limit is not None:
        spec["limit"] = {GPU: limit}
    world.server.put(Ref(kind=TENANT, name=TENANT_OF[namespace]), {"spec": spec})


def unite(world: World, namespace: str) -> None:
    """Let a namespace have nothing of its own any more."""
    world.rules.claims.redivide()
    world.server.remove(Ref(kind=TENANT, name=TENANT_OF[namespace]))


def surge(world: World, name: str, most: int) -> None:
    """Let a Playground's Service have replicas in excess, if it is there."""
    old = _spec(world, SERVICE, name)
    if old:
        world.rules.excuse_playground(name)
        rolling = {"maxSurge": most, "maxUnavailable": 1 - most}
        strategy = {"type": "RollingUpdate", "rollingUpdateConfiguration": rolling}
        world.server.put(_service(name), {"spec": {**old, "rolloutStrategy": strategy}})


def withdraw(world: World, name: str) -> None:
    world.rules.excuse_gone(name)
    world.server.remove(_playground(name))


def delete_service(world: World, name: str) -> None:
    world.rules.excuse_gone(name)
    world.server.remove(_service(name))


def offer(world: World, name: str, revision: str) -> None:
    for playground, model in MODEL_OF.items():
        if model == name:
            world.rules.excuse_playground(playground)
    flavors = _FLAVORS[name][-1:] if revision == "last flavor only" else _FLAVORS[name]
    if revision == "unfit":  # a placeholder of the runtime has no value
        flavors = [{**flavor, "params": {}} for flavor in flavors]
    hub = {"modelID": f"org/{name}", "revision": "v2" if revision == "v2" else "v1"}
    spec = {
        "familyName": "f",
        "source": {"modelHub": hub},
        "inferenceConfig": {"flavors": flavors},
    }
    world.server.put(_model(name), {"spec": spec})


def prefetch(world: World, name: str, nodes: int | None) -> None:
    """Let some nodes hold a model ahead, whether anybody serves it or not."""
    old = world.server.objects.get(_model(name))
    if old is not None:
        spec = {**cast("dict[str, Any]", old["spec"]), "prefetch": {"nodes": nodes}}
        world.server.put(_model(name), {"spec": spec})


def drop(world: World, name: str) -> None:
    world.server.remove(_model(name))


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
        "sleep": {"args": ["--may-sleep"], "calls": {"sleep": "/sleep", "wake": "/wake"}},
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
    ref = Ref(kind=kind, namespace=NAMESPACE_OF[name], name=name)
    found = world.server.objects.get(ref)
    return cast("dict[str, Any]", found["spec"]) if found else {}


def _model(name: str) -> Ref:
    return Ref(kind=OPEN_MODEL, name=name)


def _playground(name: str) -> Ref:
    return Ref(kind=PLAYGROUND, namespace=NAMESPACE_OF[name], name=name)


def _service(name: str) -> Ref:
    return Ref(kind=SERVICE, namespace=NAMESPACE_OF[name], name=name)
