"""Which changes of an assignment need the engine's process to start anew."""

import dataclasses

from llmaz.api.manifest import digest, encode
from llmaz.api.names import GROUP_PORT
from llmaz.api.node import AssignedEngine


def fingerprint(engine: AssignedEngine) -> str:
    """Return 16 hex digits that differ when the process must be started anew to match `engine`."""
    return digest(encode(as_started(engine)))


def as_started(engine: AssignedEngine) -> AssignedEngine:
    """Return the part of an assignment that a process is started for: not whether it sleeps."""
    if engine.sleep is None and not engine.asleep:
        return engine
    return dataclasses.replace(engine, sleep=None, asleep=False)


def is_next_epoch(engine: AssignedEngine, former: AssignedEngine) -> bool:
    """Tell whether an engine is assigned as before, but for its group that starts anew."""
    return engine.epoch > former.epoch > 0 and but_for_epoch(engine) == but_for_epoch(former)


def but_for_epoch(engine: AssignedEngine) -> AssignedEngine:
    """Return what stays of an assignment when its group starts anew; it may meet elsewhere."""
    env = tuple(variable for variable in engine.env if variable.name != GROUP_PORT)
    return dataclasses.replace(as_started(engine), env=env, epoch=0)
