"""Random histories of a cluster with slots, from seeds, as those without."""

from collections.abc import Sequence
from random import Random

from llmaz.api.kinds import POD
from support.simulator import faults, machines, slotted, users
from support.simulator.agents import NEVER_READY
from support.simulator.controllers import Controller
from support.simulator.history import MODELS, NODES, PLAYGROUNDS, Event, Step
from support.simulator.slotted import SlottedWorld
from support.simulator.world import World

_SERVED = PLAYGROUNDS[:3]  # groups are not part of it
_TRUTH = (True, False)
_LONGEST = 20


def _deafen_of_pods(world: World) -> None:
    world.deaf = (POD,)


def _restart_without_pods(world: World) -> None:
    """Let a controller start whose list of pods is empty, until its watch tells it.

    The first pod of a replica would be made again where its successor is not seen.
    """
    world.leader = Controller(world.server, blind=(POD,))


_EVENTS = {
    "join": Event(5, machines.join, (NODES, (0, 1, 2, 4))),
    "leave": Event(2, machines.leave, (NODES,)),
    "cordon": Event(2, machines.cordon, (NODES, _TRUTH)),
    "sicken": Event(2, machines.sicken, (NODES, _TRUTH)),
    "silence": Event(2, machines.silence, (NODES, _TRUTH)),
    "crash": Event(2, machines.crash, (NODES,)),
    "lose": Event(3, slotted.lose, (NODES, _TRUTH)),
    "evict": Event(6, slotted.evict, (range(6),)),
    "preempt": Event(5, slotted.preempt, (range(6),)),
    "refuse": Event(5, slotted.refuse, (NODES,)),
    "serve": Event(9, users.serve, (_SERVED, (0, 1, 2, 3))),
    "edit": Event(6, users.edit, (_SERVED, ("--x", "--y", NEVER_READY))),
    "surge": Event(2, users.surge, (_SERVED, (0, 1))),
    "withdraw": Event(3, users.withdraw, (_SERVED,)),
    "delete_service": Event(2, users.delete_service, (_SERVED,)),
    "offer": Event(3, users.offer, (MODELS[:2], ("v1", "v2", "last flavor only"))),
    "provide": Event(2, users.provide, (("v1", "v2"),)),
    "fail": Event(6, faults.fail, ((0, 0.1, 0.4),)),
    "deafen": Event(3, faults.deafen, ((0, 1, 2),)),
    "deafen_of_pods": Event(4, _deafen_of_pods),
    "restart": Event(3, faults.restart),
    "restart_blind": Event(2, faults.restart_blind, ((1, 2, 3),)),
    "restart_without_pods": Event(4, _restart_without_pods),
    "cut": Event(4, faults.cut, ((0, 1, 3),)),
    "rival": Event(4, faults.rival, ((None, 1, 3),)),
    "pass_time": Event(5, World.pass_time, ((1, 30, 60, 400),)),
    "calm": Event(3, SlottedWorld.calm),
}


def slot_steps_of(seed: int) -> list[Step]:
    """Return the steps of a history: first something to serve and to serve it on, then anything."""
    random = Random(seed)
    steps = [Step("offer", (name, "v1")) for name in MODELS[:2]]
    steps += [Step("provide", ("v1",)), Step("join", ("n0", 2))]
    steps += [Step("join", ("n1", random.choice((1, 2, 4))))]
    served = random.sample(_SERVED, 2)
    steps += [Step("serve", (name, random.randint(1, 3))) for name in served]
    random.shuffle(steps)
    steps += [Step("calm")] * random.randint(0, 1)
    for _ in range(random.randint(4, _LONGEST)):
        (what,) = random.choices(tuple(_EVENTS), [event.weight for event in _EVENTS.values()])
        args = tuple(random.choice(choices) for choices in _EVENTS[what].choices)
        steps.append(Step(what, args))
    return steps


def run_slots(seed: int, steps: Sequence[Step]) -> None:
    """Let a history happen; raise AssertionError where it breaks a rule."""
    world = SlottedWorld(Random(seed))
    for step in steps:
        _EVENTS[step.what].happen(world, *step.args)
        world.go_on()
    world.end(users.mend)
