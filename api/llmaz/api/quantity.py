"""Kubernetes quantities: `8Gi`, `500m`, `2`, and their comparison by value.

The grammar is that of k8s.io/apimachinery's resource.Quantity: a decimal number with a binary
suffix (Ki to Ei), a decimal suffix (n, u, m, k to E) or an exponent. A manifest's are never
negative: whoever asked for less than nothing would give others what nobody has.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import total_ordering

from llmaz.api.manifest import Json, ManifestError, at

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
        try:
            value = Decimal(self.text) if factor is None else Decimal(number) * factor
        except InvalidOperation:  # the pattern, which is Kubernetes' own, lets 1e1.5 pass
            raise ValueError(f"{self.text!r} has an exponent that is none") from None
        if value.adjusted() > _LARGEST_EXPONENT:
            raise ValueError(f"{self.text!r} is too large")
        object.__setattr__(self, "value", value)

    @classmethod
    def from_json(cls, value: Json, path: str) -> "Quantity":
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ManifestError(path, "must be a quantity such as 2, 500m or 8Gi")
        try:
            found = cls(str(value))
        except ValueError as error:
            raise ManifestError(path, str(error)) from None
        if found.value < 0:
            raise ManifestError(path, f"must not be negative, as {found} is")
        return found

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


def check_counts(amounts: Mapping[str, Quantity], path: str) -> None:
    """Refuse a part of a device: what is counted, as extended resources are, is not divided."""
    for name, amount in amounts.items():
        if "/" in name and amount.value % 1:
            raise ManifestError(at(path, name), f"must be a whole number, not {amount}")


def in_words(amount: int) -> str:
    """Write a number of bytes for people, to three digits or so: 15.3Gi."""
    for suffix in ("Ti", "Gi", "Mi", "Ki"):
        factor = int(_SUFFIXES[suffix])
        if amount >= factor:
            return f"{amount / factor:.1f}{suffix}"
    return str(amount)
