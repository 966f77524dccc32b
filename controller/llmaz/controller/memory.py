"""The memory that a replica takes of its accelerators, before it runs. Pure.

    each = (weights / accelerators + cache x share of it + engine's own) / part that it uses

What stands in docs/placement.md of each term holds here. It is a least: what is not known counts
for nothing, and where the weights or the engine are not known there is no estimate.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmaz.api import names
from llmaz.api.memory import EngineMemory, ModelMemory, ReplicaMemory
from llmaz.api.openmodel import OpenModel
from llmaz.api.quantity import Quantity
from llmaz.controller.actions import Refusal

_GIB = 2**30
_BYTES_OF = {"8": 1, "4": 0.5}  # digits in the name of a cache's data type: fp8, q8_0, q4_0
_SUFFIXES = {"": 1, "k": 1000, "K": 1024, "m": 1000**2, "M": 1024**2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a replica takes of each of its accelerators, in bytes, and for which contexts."""

    weights: int = 0
    cache: int = 0
    engine: int = 0
    used_percent: int = 100
    tokens: int = 0
    sequences: int = 1
    is_told: bool = False  # somebody said how much, and not what for

    @property
    def taken(self) -> int:
        """The memory that it takes of each accelerator at least."""
        return self.weights + self.cache + self.engine

    @property
    def each(self) -> int:
        """The memory that each accelerator must have."""
        return math.ceil(self.taken * 100 / self.used_percent)

    def __str__(self) -> str:
        if self.is_told:
            return "what was asked for"
        parts = [f"{gib(self.weights)} of weights"]
        if self.cache:
            many = f"{self.sequences} contexts of " if self.sequences > 1 else ""
            parts.append(f"{gib(self.cache)} of KV cache for {many}{self.tokens} tokens")
        if self.engine:
            parts.append(f"{gib(self.engine)} of the engine's own")
        of = f", in the {self.used_percent} % that it uses" if self.used_percent < 100 else ""
        return f"{', '.join(parts)}{of}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What is known of the memory of one Service's replicas, whatever they run on."""

    models: tuple[ModelMemory, ...] = ()
    engine: EngineMemory | None = None
    told: ReplicaMemory = ReplicaMemory()  # noqa: RUF009  # a frozen value
    args: tuple[str, ...] = ()
    total: int | None = None  # of all accelerators, as somebody said: nothing is estimated then

    @property
    def percent(self) -> int:
        """The part of an accelerator that the engine takes, whatever it needs; 0: not so, as known.

        Engines that are told a part take all of it; others take what they need.
        """
        return self._used(self.engine) if self.engine and self.engine.used_flags else 0

    def on(self, devices: int, hosts: int) -> Estimate | None:
        """Estimate for a replica with so many accelerators on each of so many nodes."""
        many = devices * hosts
        if not many:
            return None
        if self.total is not None:
            return Estimate(weights=-(-self.total // many), is_told=True)
        engine = self.engine
        if engine is None or not self.models or _has_any(self.args, engine.unknown_flags):
            return None
        tokens = self._tokens(engine)
        return Estimate(
            weights=-(-sum(map(_read_bytes, self.models)) // many),
            cache=sum(self._cache(model, tokens, devices, hosts) for model in self.models),
            engine=int(engine.per_accelerator),
            used_percent=self._used(engine),
            tokens=tokens,
            sequences=self.told.sequences,
        )

    def _tokens(self, engine: EngineMemory) -> int:
        """Return how long a context the KV cache must hold: as told, else as the engine has it."""
        if self.told.context_tokens is not None:
            return self.told.context_tokens
        given = _last(self.args, engine.context_flags)
        if given is not None:
            return _count(given)
        longest = self.models[0].context_tokens if engine.context == "model" else None
        return longest or 0

    def _cache(self, model: ModelMemory, tokens: int, devices: int, hosts: int) -> int:
        """Return what one accelerator keeps of the KV cache.

        Layers are divided among nodes, and the heads of a layer among the accelerators of one: of
        fewer heads than those, each accelerator keeps one.
        """
        if model.token_bytes is None:
            return 0
        windowed = min(tokens, model.window_tokens or 0) * (model.window_token_bytes or 0)
        whole = (tokens * model.token_bytes + windowed) * self.told.sequences
        heads = min(devices, model.cache_heads or devices)
        return math.ceil(whole * self._cache_part(model) / (heads * hosts))

    def _cache_part(self, model: ModelMemory) -> float:
        """Return the size of the cache's numbers as a part of the model's own; never above it."""
        given = _last(self.args, self.engine.cache_type_flags) if self.engine else None
        sizes = [size for digit, size in _BYTES_OF.items() if given and digit in given]
        return min(1.0, min(sizes, default=2) / (model.value_bytes or 2))

    def _used(self, engine: EngineMemory) -> int:
        given = _last(self.args, engine.used_flags)
        try:
            part = float(given) if given is not None else 0.0
        except ValueError:
            return 100
        return max(1, round(100 * part)) if 0 < part <= 1 else engine.used_percent


def footprint(
    claimed: Sequence[OpenModel],
    engine: EngineMemory | None,
    told: ReplicaMemory,
    args: tuple[str, ...],
) -> Footprint | Refusal:
    """Return what is known of the memory of replicas that serve these models, the main one first.

    Of the models either all are known or none is: half of an estimate would be none.
    """
    said = _annotated(claimed[0])
    if isinstance(said, Refusal):
        return said
    if told.per_replica is not None:
        said = int(told.per_replica)
    known = [model.status.memory for model in claimed if is_current(model)]
    models = tuple(one for one in known if one is not None)
    return Footprint(
        models=models if len(models) == len(claimed) else (),
        engine=engine,
        told=told,
        args=args,
        total=said,
    )


def is_current(model: OpenModel) -> bool:
    """Tell whether a model's status is about the model as it is now."""
    return model.status.observed_generation == model.metadata.generation


def gib(amount: int) -> str:
    """Return an amount of bytes in GiB, with one digit after the point."""
    return f"{amount / _GIB:.1f}"


def _annotated(model: OpenModel) -> int | Refusal | None:
    """Return the bytes that a replica takes of its accelerators as its annotation says, if any."""
    annotations: Mapping[str, str] = model.metadata.annotations
    text = annotations.get(names.ACCELERATOR_MEMORY)
    if text is None:
        return None
    try:
        return max(0, int(Quantity(text)))
    except ValueError as error:
        path = f"OpenModel {model.metadata.name}: metadata.annotations.{names.ACCELERATOR_MEMORY}"
        return Refusal(reason="InvalidAnnotation", message=f"{path}: {error}")


def _read_bytes(model: ModelMemory) -> int:
    """Return what the weights take once they are read: numbers of 32 bits are read as 16."""
    return model.weight_bytes * 2 // max(2, model.value_bytes or 2)


def _has_any(args: Sequence[str], flags: Sequence[str]) -> bool:
    return any(arg.partition("=")[0] in flags for arg in args)


def _last(args: Sequence[str], flags: Sequence[str]) -> str | None:
    """Return the value of the last of these flags, as `--flag value` or `--flag=value`."""
    found = None
    for index, arg in enumerate(args):
        flag, equals, value = arg.partition("=")
        if flag in flags:
            found = value if equals else next(iter(args[index + 1 : index + 2]), None)
    return found


def _count(text: str) -> int:
    """Read a number of tokens, such as 8192 or 32k; 0, which is any, where it is none."""
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?)([kKmM]?)", text)
    return int(float(match[1]) * _SUFFIXES[match[2]]) if match else 0
