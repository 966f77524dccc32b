"""What goes wrong between the controllers and the API server, which is no excuse for anything."""

from llmaz.api.kinds import (
    INFERENCE_NODE,
    NODE,
    OPEN_MODEL,
    PLAYGROUND,
    PRIORITY_CLASS,
    SERVICE,
    TENANT,
)
from support.simulator.controllers import Controller
from support.simulator.server import Fault
from support.simulator.world import World

# Of these nothing is done that what is missing would not excuse.
_MISSED = (INFERENCE_NODE, SERVICE, PLAYGROUND, OPEN_MODEL, NODE, PRIORITY_CLASS)
_WATCHED = (*_MISSED, TENANT)
_FAULTS: tuple[Fault, ...] = ("lost", "unanswered", "conflict", "refused")


def fail(world: World, share: float) -> None:
    """Let a share of the controller's requests fail from now on."""

    def fault() -> Fault | None:
        return world.random.choice(_FAULTS) if world.random.random() < share else None

    world.server.fault = fault


def deafen(world: World, many: int) -> None:
    """Let the watches of some kinds hang from now on."""
    world.deaf = tuple(world.random.sample(_WATCHED, many))


def expire(world: World) -> None:
    """Let the version that a watch would resume from be too old: its kind is listed anew."""
    world.leader.relist(world.random.choice(_WATCHED))


def restart(world: World) -> None:
    world.leader = Controller(world.server)


def restart_blind(world: World, many: int) -> None:
    """Let a controller start that finds nothing of some kinds, until their watches tell it."""
    world.leader = Controller(world.server, blind=world.random.sample(_MISSED, many))


def cut(world: World, most: int) -> None:
    """Let the controller end after some of what it decided, and another take over."""
    world.leader.hear(deaf=world.deaf)
    world.leader.round(world.server.now, most=most)
    restart(world)


def rival(world: World, most: int | None) -> None:
    """Let a controller that believes to lead act on what it heard long ago, or do a part of it."""
    if not world.others:
        world.others.append(Controller(world.server))
        return
    world.rules.has_rival = True
    world.others.pop().round(world.server.now, most=most)
