"""What decides how much memory of its accelerators a replica takes: of the model, of the engine."""

from dataclasses import dataclass, field
from typing import Literal

from llmaz.api.fields import bounds
from llmaz.api.quantity import Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMemory:
    """What a model's files say of the memory that it takes. What they do not say is absent.

    weight_bytes: the weights that an engine reads, each once
    value_bytes: the size of a number that it computes with: 2 for bfloat16
    token_bytes: the KV cache of one token in layers that keep all of a context
    window_token_bytes: the KV cache of one token in layers that keep the last tokens alone
    window_tokens: how many tokens those layers keep
    cache_heads: among how many accelerators the KV cache of a layer can be divided
    context_tokens: the longest context
    """

    weight_bytes: int = field(metadata=bounds(minimum=0))
    value_bytes: int | None = None
    token_bytes: int | None = None
    window_token_bytes: int | None = None
    window_tokens: int | None = None
    cache_heads: int | None = None
    context_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineMemory:
    """How the engine uses the memory of its accelerators. Without it, nothing is estimated.

    per_accelerator: what it takes of each beside weights and KV cache
    used_percent: the part of an accelerator's memory that it uses at most
    used_flags: arguments that say another part, such as 0.85
    context: whether it starts only if the KV cache holds the model's longest context, or any
    context_flags: arguments that say how long a context it must hold
    cache_type_flags: arguments that say the data type of the KV cache
    unknown_flags: arguments with which nothing is known, since they lay weights elsewhere
    """

    per_accelerator: Quantity = Quantity("0")  # noqa: RUF009  # a frozen value
    used_percent: int = field(default=100, metadata=bounds(minimum=1, maximum=100))
    used_flags: tuple[str, ...] = field(default=(), metadata=bounds(longest=16))
    context: Literal["model", "any"] = "any"
    context_flags: tuple[str, ...] = field(default=(), metadata=bounds(longest=16))
    cache_type_flags: tuple[str, ...] = field(default=(), metadata=bounds(longest=16))
    unknown_flags: tuple[str, ...] = field(default=(), metadata=bounds(longest=32))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaMemory:
    """What a replica shall have room for, where the engine's arguments do not say it.

    per_replica: all that it takes of its accelerators together, in place of an estimate
    context_tokens: how long a context the KV cache shall hold
    sequences: how many such contexts at once
    """

    per_replica: Quantity | None = None
    context_tokens: int | None = field(default=None, metadata=bounds(minimum=1))
    sequences: int = field(default=1, metadata=bounds(minimum=1))
