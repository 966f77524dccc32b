"""What the agent sees of its engines, and what it may do about them: values only.

`None` is "not known", so that an engine whose shim does not answer is neither started nor stopped.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from llmaz.api.node import AssignedEngine, EngineReport
from llmaz.api.sleep import SleepCalls


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why an engine ended or could not start, in words for the user."""

    reason: str  # CamelCase: OutOfDeviceMemory, BadArguments, ExecutableNotFound, ...
    message: str
    permanent: bool = (
        False  # the same command would end the same way: starting it again is of no use
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Launching:
    """On its way: the agent has decided to start it and the shim has not said yet that it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A living process, proven by its shim."""

    pid: int
    run: int  # counts the starts under one shim from 1
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    """A process that has ended, or that could not be started."""

    at: datetime
    fault: Fault | None  # None: it was asked to stop, or never ran
    clear: bool = True  # no descendant of it is left; until then its devices and port are taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """The shim holds its lock but does not answer: nothing is known, so nothing is done."""


Process = Launching | Running | Exited | Unreachable


class Health(StrEnum):
    """What the probes say of a running engine."""

    STARTING = "Starting"
    READY = "Ready"
    UNREADY = "Unready"  # was ready, and may be again
    DROWSY = "Drowsy"  # falls asleep, or wakes up
    ASLEEP = "Asleep"
    DEAD = "Dead"  # only a restart helps: hung, or its start made no progress


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSeen:
    """One engine as the agent finds it: its record on disk, its shim's word and its probes'."""

    id: str
    assignment: AssignedEngine  # what it was started for
    fingerprint: str
    process: Process
    port: int | None = None
    health: Health = Health.STARTING
    detail: str = ""  # why it is not ready, in words
    dies_of: Fault | None = None  # what it is ended for, or is to be
    stopping_since: datetime | None = None
    failures: int = 0  # in a row, without a healthy while between them
    restarted: Mapping[str, int] = field(default_factory=dict)  # starts again, by reason
    ready_at: datetime | None = None
    sleeping: bool = False  # it sleeps, or is on its way there
    woke_seconds: float | None = None  # what its last wake took
    log: str = ""

    @property
    def restarts(self) -> int:
        return sum(self.restarted.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class StartEngine:
    """Start an engine that does not run; its weights lie at `model_path`."""

    engine: AssignedEngine
    model_path: str
    draft_model_path: str = ""
    programs: str = ""  # where those of its Python environment lie


@dataclass(frozen=True, slots=True, kw_only=True)
class StopEngine:
    """Drain an engine, then end it and everything it started. Its record stays."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetEngine:
    """Dismiss the shim of an engine that has ended, and remove its record and logs."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepEngine:
    """Have an engine free its accelerators' memory, once it has nothing to do."""

    id: str
    calls: SleepCalls


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeEngine:
    """Have an engine that sleeps, or falls asleep, answer again."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildEnvironment:
    """Have the Python environment that engines wait for."""

    requirements: tuple[str, ...]


EngineAction = BuildEnvironment | StartEngine | StopEngine | ForgetEngine | SleepEngine | WakeEngine


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentReady:
    """A Python environment that is there; its programs lie in a directory ("": the agent's own)."""

    programs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentBuilding:
    """One that is being built."""

    progress: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentFailed:
    """One that could not be built."""

    fault: Fault
    retry_at: datetime


Environment = EnvironmentReady | EnvironmentBuilding | EnvironmentFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePlan:
    """What to do now, what to say of each engine, and when to look again without an event."""

    actions: tuple[EngineAction, ...] = ()
    reports: tuple[EngineReport, ...] = ()
    look_again_in: float | None = None
