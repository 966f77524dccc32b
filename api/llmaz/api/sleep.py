"""How an engine sleeps: it frees the memory of its accelerators, and its process stays."""

from dataclasses import dataclass, field

from llmaz.api.fields import bounds
from llmaz.api.pod import EnvVar


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepCalls:
    """The paths by which an engine is told to sleep and to wake; it answers when it does.

    sleep: what is posted to, to make it sleep
    wake: what is posted to, to wake it
    is_asleep: what answers {"is_sleeping": true} while it sleeps; without it, nobody asks
    """

    sleep: str = field(metadata=bounds(shortest=1, longest=1024))
    wake: str = field(metadata=bounds(shortest=1, longest=1024))
    is_asleep: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepMode:
    """What makes engines able to sleep. It is used where a Playground has a sleepSeconds.

    args: arguments that they need to be started with
    envs: environment variables that they need
    calls: the paths by which they are told
    """

    args: tuple[str, ...] = ()
    envs: tuple[EnvVar, ...] = field(default=(), metadata=bounds(longest=16))
    calls: SleepCalls
