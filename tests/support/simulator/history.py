"""What happens in a simulated cluster: a list of steps drawn from a seed, and how each is taken.

A step is plain data, so that a history which breaks a rule can be printed, and shortened by leaving
steps out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from support.simulator.merging import Merge, quickly
from support.simulator.world import World

MODELS = ("m0", "m1")
PLAYGROUNDS = ("p0", "p1", "p2")
NODES = ("n0", "n1", "n2", "n3")
_LONGEST = 24


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens: a method of the world and its arguments."""

    what: str
    args: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.what}({', '.join(map(repr, self.args))})"


# What may happen, how often, and what is drawn for it.
_EVENTS: dict[str, tuple[int, tuple[Sequence[Any], ...]]] = {
    "join": (5, (NODES, (0, 1, 2, 4))),
    "leave": (2, (NODES,)),
    "cordon": (2, (NODES, (True, False))),
    "taint": (2, (NODES, ("NoSchedule", "NoExecute", None))),
    "sicken": (2, (NODES, (True, False))),
    "forget_devices": (1, (NODES, (True, False))),
    "lose_device": (1, (NODES,)),
    "silence": (3, (NODES, (True, False))),
    "serve": (9, (PLAYGROUNDS, (0, 1, 2, 3))),
    "edit": (8, (PLAYGROUNDS, ("--x", "--y"))),
    "surge": (2, (PLAYGROUNDS, (0, 1))),
    "withdraw": (3, (PLAYGROUNDS,)),
    "delete_service": (1, (PLAYGROUNDS,)),
    "offer": (2, (MODELS, ("v1", "v2"))),
    "drop": (1, (MODELS,)),
    "provide": (1, (("v1", "v2"),)),
    "take_away": (1, ()),
    "crash": (3, (NODES,)),
    "pass_time": (3, ((1, 30, 60, 400),)),
    "calm": (3, ()),
    "fail": (6, ((0, 0.1, 0.4),)),
    "deafen": (4, ((0, 1, 2),)),
    "restart": (4, ()),
    "cut": (4, ((0, 1, 3),)),
    "rival": (3, ()),
}
_NAMES = tuple(_EVENTS)
_WEIGHTS = tuple(weight for weight, _ in _EVENTS.values())


def steps_of(seed: int) -> list[Step]:
    """Return the steps of a history: first something to serve and to serve it on, then anything."""
    random = Random(seed)
    steps = [Step("offer", (name, "v1")) for name in MODELS]
    steps += [Step("provide", ("v1",)), Step("join", ("n0", 2)), Step("join", ("n1", 2))]
    steps += [Step("serve", (name, random.randint(1, 3))) for name in PLAYGROUNDS[:2]]
    random.shuffle(steps)
    steps += [Step("calm")] * random.randint(0, 1)
    for _ in range(random.randint(4, _LONGEST)):
        (what,) = random.choices(_NAMES, _WEIGHTS)
        args = tuple(random.choice(choices) for choices in _EVENTS[what][1])
        steps.append(Step(what, args))
    return steps


def run(seed: int, steps: Sequence[Step]) -> None:
    """Let a history happen; raise AssertionError where it breaks a rule."""
    world_after(seed, steps).end()


def world_after(seed: int, steps: Sequence[Step], merge: Merge = quickly) -> World:
    """Return the cluster as it is after these steps."""
    world = World(Random(seed), merge)
    for step in steps:
        getattr(world, step.what)(*step.args)
        world.go_on()
    return world


def broken(seed: int, steps: Sequence[Step]) -> str | None:
    """Return what a history breaks, or None."""
    try:
        run(seed, steps)
    except Exception as error:  # whatever the controller raises is a finding
        return f"{type(error).__name__}: {error}"
    return None


def shortened(seed: int, steps: Sequence[Step]) -> list[Step]:
    """Leave out every step without which the history still breaks a rule."""
    left = list(steps)
    size = len(left) // 2
    while size:
        at = 0
        while at < len(left):
            fewer = left[:at] + left[at + size :]
            if broken(seed, fewer):
                left = fewer
            else:
                at += size
        size //= 2
    return left


def told(seed: int) -> str | None:
    """Run the history of a seed; return how it breaks a rule, in the fewest steps, or None."""
    steps = steps_of(seed)
    if broken(seed, steps) is None:
        return None
    few = shortened(seed, steps)
    lines = "\n  ".join(map(str, few))
    return f"seed {seed}: {broken(seed, few)}\n  {lines}"
