"""Kubernetes quantities: `8Gi`, `500m`, `2`, and their comparison by value.

The grammar is that of k8s.io/apimachinery's resource.Quantity: a decimal number with a binary
suffix (Ki to Ei), a decimal suffix (n, u, m, k to E) or an exponent.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from functools import total_ordering

from llmaz.api.manifest import Json, ManifestError

_NUMBER = r"(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
PATTERN = rf"^(\+|-)?{_NUMBER}(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?{_NUMBER}))?$"
_SPLIT = re.compile(r"^([+-]?[0-9.]+)(.*)$")
_LARGEST_EXPONENT = 27  # as many digits as Decimal keeps without rounding
_SUFFIXES = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}


@total_ordering
@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount as a manifest writes it; equal and ordered by value, so `1` equals `1000m`.

    Raises ValueError for text that is no quantity.
    """

    text: str = field(compare=False)
    value: Decimal = field(init=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(PATTERN, self.text):
            raise ValueError(f"{self.text!r} is not a quantity such as 2, 500m or 8Gi")
        number, suffix = _SPLIT.match(self.text).groups()  # type: ignore[union-attr]  # PATTERN matched
        factor = _SUFFIXES.get(suffix)
        value = Decimal(self.text) if factor is None else Decimal(number) * factor
        if value.adjusted() > _LARGEST_EXPONENT:
            raise ValueError(f"{self.text!r} is too large")
        object.__setattr__(self, "value", value)

    @classmethod
    def from_json(cls, value: Json, path: str) -> "Quantity":
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ManifestError(path, "must be a quantity such as 2, 500m or 8Gi")
        try:
            return cls(str(value))
        except ValueError as error:
            raise ManifestError(path, str(error)) from None

    @classmethod
    def of_bytes(cls, amount: int) -> "Quantity":
        """Write a number of bytes with the largest binary suffix that loses nothing."""
        for suffix in ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki"):
            if amount and amount % int(_SUFFIXES[suffix]) == 0:
                return cls(f"{amount // int(_SUFFIXES[suffix])}{suffix}")
        return cls(str(amount))

    def to_json(self) -> Json:
        return int(self.text) if self.text.isdecimal() else self.text

    def __lt__(self, other: "Quantity") -> bool:
        return self.value < other.value

    def __int__(self) -> int:
        return int(self.value)

    def __str__(self) -> str:
        return self.text


def in_words(amount: int) -> str:
    """Write a number of bytes for people, to three digits or so: 15.3Gi."""
    for suffix in ("Ti", "Gi", "Mi", "Ki"):
        factor = int(_SUFFIXES[suffix])
        if amount >= factor:
            return f"{amount / factor:.1f}{suffix}"
    return str(amount)
