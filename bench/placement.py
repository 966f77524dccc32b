"""The controller's decision over a large cluster in memory: the first placement, and a settled one.

Half of the models prefer one kind of accelerator and fall back to another; every Playground has
replicas on both. Each figure is the fastest of several, since a decision waits for nothing. What is
worked out when a node is read, once for each change of it, is no part of a decision. A controller
that has just taken over decides on what it never saw before; later most objects are the same.
"""

import gc
import os
import sys
import time
from pathlib import Path

from harness.figures import options, report, resident_mib

from llmaz.controller.actions import Plan
from llmaz.controller.loop import undisturbed
from llmaz.controller.plan import plan
from llmaz.controller.snapshot import KubeNode

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.builders import flavor, model, node, on, playground, runtime
from support.controlling import World

GPUS = 16
RUNS = 5


def cluster(nodes: int, playgrounds: int, replicas: int) -> World:
    """Return a cluster that nobody has decided on yet."""
    world = World().add(runtime())
    for i in range(nodes):
        world.add(node(f"node-{i:05}", GPUS))
        kind = "a10" if i % 2 else "a100"
        world.kube_nodes[f"node-{i:05}"] = KubeNode(name=f"node-{i:05}", labels={"kind": kind})
    flavors = [on(flavor("a10"), kind="a10"), on(flavor("a100"), kind="a100")]
    for i in range(playgrounds):
        order = flavors if i % 2 else flavors[::-1]
        world.add(model(f"model-{i:05}", *order))
        world.add(playground(f"chat-{i:05}", f"model-{i:05}", replicas))
    for action in world.plan():  # makes the Services
        world.perform(action)
    return world


def fastest(world: World, *, knows: bool) -> tuple[float, Plan]:
    """Decide several times, as one who decided before or not; return the least seconds."""
    snapshot = world.snapshot()
    if knows:
        plan(snapshot, world.now)
    took = []
    for _ in range(RUNS):
        seen = snapshot if knows else world.snapshot()
        gc.collect()
        started = time.perf_counter()
        with undisturbed():
            decided = plan(seen, world.now)
        took.append(time.perf_counter() - started)
    return min(took), decided


def main() -> None:
    quick = options(__doc__ or "").quick
    nodes, playgrounds, replicas = (200, 100, 20) if quick else (1_000, 500, 20)
    world = cluster(nodes, playgrounds, replicas)
    first, decided = fastest(world, knows=False)
    if not decided.actions:
        raise SystemExit("nothing was placed")
    world.settle()
    if len(world.engines()) != playgrounds * replicas:
        raise SystemExit(f"{len(world.engines())} replicas were placed")
    taken_over, _ = fastest(world, knows=False)
    settled, decided = fastest(world, knows=True)
    if decided.actions:
        raise SystemExit(f"a settled cluster is not left alone: {decided.actions[0]}")
    report(
        nodes=nodes,
        playgrounds=playgrounds,
        replicas=playgrounds * replicas,
        plan_seconds=first,
        takeover_plan_seconds=taken_over,
        settled_plan_seconds=settled,
        resident_mib=resident_mib(os.getpid()),
    )


if __name__ == "__main__":
    main()
