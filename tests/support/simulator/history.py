"""What happens in a simulated cluster: a list of steps drawn from a seed, and how each is taken.

A step is plain data, so that a history which breaks a rule can be printed, and shortened by leaving
steps out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from support.simulator import faults, machines, users
from support.simulator.agents import NEVER_READY
from support.simulator.merging import Merge, quickly
from support.simulator.world import World

MODELS = ("m0", "m1", "m2")
PLAYGROUNDS = ("p0", "p1", "p2", "p3")
NODES = ("n0", "n1", "n2", "n3")
NAMESPACES = ("default", "lab")
_PLACES = ("anywhere", "low", "high", "patient", "spread", "spot", "move back")
_LONGEST = 24
_BOUNDED = 0.15  # of the namespaces may not have more than a limit
_IDLE = 0.3  # of the first Playgrounds may stop while nobody asks


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens: the name of an event and what was drawn for it."""

    what: str
    args: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.what}({', '.join(map(repr, self.args))})"


@dataclass(frozen=True, slots=True)
class Event:
    """What may happen: how often, by what, and what is drawn for it."""

    weight: int
    happen: Callable[..., None]
    choices: tuple[Sequence[Any], ...] = ()


_TRUTH = (True, False)
_EVENTS = {
    "join": Event(5, machines.join, (NODES, (0, 1, 2, 4))),
    "leave": Event(2, machines.leave, (NODES,)),
    "cordon": Event(2, machines.cordon, (NODES, _TRUTH)),
    "taint": Event(2, machines.taint, (NODES, ("NoSchedule", "NoExecute", "notice", None))),
    "drain": Event(2, machines.drain, (NODES, _TRUTH)),
    "sicken": Event(4, machines.sicken, (NODES, _TRUTH)),
    "forget_devices": Event(1, machines.forget_devices, (NODES, _TRUTH)),
    "lose_device": Event(1, machines.lose_device, (NODES,)),
    "silence": Event(2, machines.silence, (NODES, _TRUTH)),
    "lapse": Event(4, machines.lapse, (NODES, (30, 60, 200, 400))),
    "crash": Event(3, machines.crash, (NODES,)),
    "serve": Event(9, users.serve, (PLAYGROUNDS, (0, 1, 2, 3))),
    "edit": Event(8, users.edit, (PLAYGROUNDS, ("--x", "--y", NEVER_READY))),
    "place": Event(5, users.place, (PLAYGROUNDS, _PLACES)),
    "idle": Event(2, users.idle, (PLAYGROUNDS, _TRUTH)),
    "rest": Event(4, users.rest, (PLAYGROUNDS,)),
    "share": Event(3, users.share, (NAMESPACES, (0, 2, 4), (None, 2, 4))),
    "unite": Event(1, users.unite, (NAMESPACES,)),
    "prefetch": Event(1, users.prefetch, (MODELS, (1, 2, None))),
    "surge": Event(2, users.surge, (PLAYGROUNDS, (0, 1))),
    "withdraw": Event(3, users.withdraw, (PLAYGROUNDS,)),
    "delete_service": Event(1, users.delete_service, (PLAYGROUNDS,)),
    "offer": Event(3, users.offer, (MODELS, ("v1", "v2", "last flavor only", "unfit"))),
    "drop": Event(1, users.drop, (MODELS,)),
    "provide": Event(1, users.provide, (("v1", "v2"),)),
    "take_away": Event(1, users.take_away),
    "fail": Event(6, faults.fail, ((0, 0.1, 0.4),)),
    "deafen": Event(4, faults.deafen, ((0, 1, 2),)),
    "expire": Event(1, faults.expire),
    "restart": Event(3, faults.restart),
    "restart_blind": Event(3, faults.restart_blind, ((1, 2, 3),)),
    "cut": Event(4, faults.cut, ((0, 1, 3),)),
    "rival": Event(4, faults.rival, ((None, 1, 3),)),
    "pass_time": Event(3, World.pass_time, ((1, 30, 60, 400),)),
    "calm": Event(3, World.calm),
}
_NAMES = tuple(_EVENTS)
_WEIGHTS = tuple(event.weight for event in _EVENTS.values())


def steps_of(seed: int) -> list[Step]:
    """Return the steps of a history: first something to serve and to serve it on, then anything."""
    random = Random(seed)
    steps = [Step("offer", (name, "v1")) for name in MODELS]
    steps += [Step("provide", ("v1",)), Step("join", ("n0", 2))]
    steps += [Step("join", ("n1", random.choice((1, 2, 2, 4))))]
    served = random.sample(PLAYGROUNDS, 2)
    steps += [Step("serve", (name, random.randint(1, 3))) for name in served]
    random.shuffle(steps)
    # What is said of few Playgrounds for long is said of some from the beginning.
    steps += [Step("place", (name, random.choice(_PLACES))) for name in served[:1]]
    steps += [Step("rest", (name,)) for name in served if random.random() < _IDLE]
    steps += [
        Step("share", (name, random.choice((0, 2)), 2))
        for name in NAMESPACES
        if random.random() < _BOUNDED
    ]
    steps += [Step("calm")] * random.randint(0, 1)
    for _ in range(random.randint(4, _LONGEST)):
        (what,) = random.choices(_NAMES, _WEIGHTS)
        args = tuple(random.choice(choices) for choices in _EVENTS[what].choices)
        steps.append(Step(what, args))
    return steps


def run(seed: int, steps: Sequence[Step]) -> None:
    """Let a history happen; raise AssertionError where it breaks a rule."""
    world_after(seed, steps).end(users.mend)


def world_after(seed: int, steps: Sequence[Step], merge: Merge = quickly) -> World:
    """Return the cluster as it is after these steps."""
    world = World(Random(seed), merge)
    for step in steps:
        _EVENTS[step.what].happen(world, *step.args)
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
