"""What is known of a Playground's load at one moment, and how an agent's metrics tell it. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_SAMPLE = re.compile(r"^llmaz_engine_(\w+)\{([^}]*)\}\s+(\S+)", re.MULTILINE)
_ENGINE = re.compile(r'(?:^|,)engine="([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLoad:
    """What one ready engine does. `kv_cache` is a share; `tokens` counts since its start.

    `proofs` grows with each look that may tell of a token which its agent asked for: an idle engine
    has to prove each minute that it lives.
    """

    running: float
    waiting: float = 0.0
    kv_cache: float | None = None
    tokens: float = 0.0
    proofs: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look at a Playground: what was wanted, how many engines served, what those did.

    `at` is in seconds of any clock that only goes forward. `serving` counts the engines that may
    have requests, also those that are unready by now. One whose load nobody knew is not among
    `engines`. Replicas that start, or have no place, count nowhere.
    """

    at: float
    replicas: int
    serving: int
    engines: Mapping[str, EngineLoad]

    @property
    def is_complete(self) -> bool:
        """Whether the load of every engine that serves is known."""
        return 0 < self.serving == len(self.engines)

    @property
    def running(self) -> float:
        return sum(engine.running for engine in self.engines.values())

    @property
    def waiting(self) -> float:
        return sum(engine.waiting for engine in self.engines.values())

    @property
    def kv_cache(self) -> float | None:
        """The mean share of the KV caches in use; None where no engine tells."""
        told = [one.kv_cache for one in self.engines.values() if one.kv_cache is not None]
        return sum(told) / len(told) if told else None


def read_loads(page: str) -> dict[str, EngineLoad]:
    """Read the engines' loads from the metrics page of an agent, by the engine's id.

    An engine that does not say how many requests it runs is left out: its load is not known.
    """
    found: dict[str, dict[str, float]] = {}
    for name, labels, value in _SAMPLE.findall(page):
        engine = _ENGINE.search(labels)
        if engine is not None:
            found.setdefault(engine[1], {})[name] = float(value)
    return {
        engine: EngineLoad(
            running=numbers["requests_running"],
            waiting=numbers.get("requests_waiting", 0.0),
            kv_cache=numbers.get("kv_cache_usage_ratio"),
            tokens=numbers.get("prompt_tokens_total", 0.0)
            + numbers.get("generation_tokens_total", 0.0),
            proofs=numbers.get("proofs_total", 0.0),
        )
        for engine, numbers in found.items()
        if "requests_running" in numbers
    }
