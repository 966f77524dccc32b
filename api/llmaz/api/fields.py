"""What a field's metadata says beyond its type: its key on the wire, its older name, its bounds.

The codec (manifest.py) and the generator of the CRDs (crd.py) read the same metadata, so that the
programs and the API server accept the same manifests.
"""

import dataclasses
from collections.abc import Sized
from dataclasses import dataclass
from typing import cast

Metadata = dict[str, object]

# Numbers and booleans are read as the strings that Kubernetes wants there.
STRINGLY: Metadata = {"stringly": True}

# The members are another API's and are passed on as they are.
OPAQUE: Metadata = {"opaque": True}


# Older manifests have another type there, which the class's `upgraded` reads.
RESHAPED: Metadata = {"reshaped": True}

# The API server writes the default into the object, also where it is an object itself.
WRITTEN: Metadata = {"written": True}


def named(key: str) -> Metadata:
    """Say the manifest's key where camelCase of the field's name is not it (`modelID`)."""
    return {"key": key}


def formerly(key: str, *, wins: bool = False) -> Metadata:
    """Say the key that older manifests use for the same thing (`requests` for `limits`).

    Both together are refused, unless the older one `wins`: that is for objects which llmaz ships,
    where an older manifest that someone applies leaves the newer field standing beside its own.
    """
    return {"formerly": key, "wins": True} if wins else {"formerly": key}


def list_map(*keys: str) -> Metadata:
    """Say which keys tell a list's items apart, so that several writers may own different items."""
    return {"list_map": keys}


def key_of(field: "dataclasses.Field[object]") -> str:
    """Return the manifest's key for a field: its metadata's, else its name in camelCase."""
    if "key" in field.metadata:
        return cast("str", field.metadata["key"])
    head, *rest = field.name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def older_key_of(field: "dataclasses.Field[object]") -> str | None:
    """Return the key that older manifests use for a field, if there is one."""
    return cast("str | None", field.metadata.get("formerly"))


def list_map_of(field: "dataclasses.Field[object]") -> tuple[str, ...]:
    """Return the keys that tell a list's items apart; none where the list is one value."""
    return cast("tuple[str, ...]", field.metadata.get("list_map", ()))


def older_key_wins(field: "dataclasses.Field[object]") -> bool:
    """Tell whether the older key counts where both are given."""
    return "wins" in field.metadata


def has_default(field: "dataclasses.Field[object]") -> bool:
    """Tell whether a manifest may leave the field out."""
    return (
        field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
    )


def reach(maximum: int) -> Metadata:
    """Bound a number by what the programs can work with.

    The definitions do not say it: what those of a release took is taken for good.
    """
    return {"reach": maximum}


def reach_of(field: "dataclasses.Field[object]") -> int | None:
    """Return the largest value that the programs can work with, where that is not any."""
    return cast("int | None", field.metadata.get("reach"))


def bounds(
    *,
    minimum: int | None = None,
    maximum: int | None = None,
    shortest: int | None = None,
    longest: int | None = None,
) -> Metadata:
    """Bound a number's value, or the length of a text, list or object."""
    return {"bounds": Bounds(minimum, maximum, shortest, longest)}


@dataclass(frozen=True, slots=True)
class Bounds:
    """The smallest and largest value of a number, the least and most members of anything sized."""

    minimum: int | None = None
    maximum: int | None = None
    shortest: int | None = None
    longest: int | None = None

    @classmethod
    def of(cls, field: "dataclasses.Field[object]") -> "Bounds":
        return cast("Bounds", field.metadata.get("bounds", UNBOUNDED))

    def within(self, reach: int | None) -> "Bounds":
        """Return these bounds with the maximum that the programs alone set."""
        return self if reach is None else dataclasses.replace(self, maximum=reach)

    def problem(self, value: object) -> str | None:
        """Return what is wrong with a value in words, or None."""
        if isinstance(value, int):
            if self.minimum is not None and value < self.minimum:
                return f"must be at least {self.minimum}, not {value}"
            if self.maximum is not None and value > self.maximum:
                return f"must be at most {self.maximum}, not {value}"
        elif isinstance(value, Sized):
            return self._problem_of_length(len(value), _UNITS.get(type(value), "characters"))
        return None

    def _problem_of_length(self, length: int, unit: str) -> str | None:
        if self.shortest is not None and length < self.shortest:
            return (
                "must not be empty" if length == 0 else f"must have at least {self.shortest} {unit}"
            )
        if self.longest is not None and length > self.longest:
            return f"must have at most {self.longest} {unit}, not {length}"
        return None


UNBOUNDED = Bounds()
_UNITS: dict[type, str] = {tuple: "items", frozenset: "items", dict: "members"}
