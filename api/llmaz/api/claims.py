"""Which models a Playground or a Service serves."""

from dataclasses import dataclass, field
from enum import StrEnum

from llmaz.api.fields import bounds, named

MOST_REPLICAS = 10_000  # of one object; a typing error beyond would keep all others waiting


class Role(StrEnum):
    """What a model is for."""

    MAIN = "main"
    DRAFT = "draft"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """One OpenModel and what it is for.

    name: the OpenModel
    role: main answers; draft proposes tokens for it (speculative decoding)
    """

    name: str = field(metadata=bounds(shortest=1, longest=63))
    role: Role = Role.MAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelClaims:
    """One main model, and a draft model for speculative decoding.

    models: the OpenModels
    inference_flavors: names of the main model's flavors in order of preference; else its own order
    """

    models: tuple[ModelRef, ...] = field(metadata=bounds(shortest=1, longest=8))
    inference_flavors: tuple[str, ...] = field(default=(), metadata=bounds(longest=8))

    @property
    def main(self) -> str:
        """The OpenModel that answers."""
        return next((ref.name for ref in self.models if ref.role is Role.MAIN), "")

    @property
    def draft(self) -> str | None:
        """The OpenModel that proposes tokens, if there is one."""
        return next((ref.name for ref in self.models if ref.role is Role.DRAFT), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelClaim:
    """The short form of claims: one main model.

    model_name: the OpenModel
    inference_flavors: names of its flavors in order of preference; else its own order
    """

    model_name: str = field(metadata=named("modelName") | bounds(shortest=1, longest=63))
    inference_flavors: tuple[str, ...] = field(default=(), metadata=bounds(longest=8))

    @property
    def in_full(self) -> ModelClaims:
        """The same claim in the long form."""
        return ModelClaims(
            models=(ModelRef(name=self.model_name),), inference_flavors=self.inference_flavors
        )
