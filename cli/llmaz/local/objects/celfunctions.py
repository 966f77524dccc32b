"""Kubernetes' own CEL functions, by name: on lists, strings, quantities, versions, optionals.

A function is called as `f(x)` and as `x.f()`. Types that the evaluator does not have (quantity,
URL, address) travel as small maps that say what they are, written in a normal form so that `==`
compares by value.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import TypeAlias

from llmaz.api.quantity import Quantity
from llmaz.local.objects import celnetwork, formats, patterns
from llmaz.local.objects.celengine import STDLIB_FUNCTIONS, OptionalValue
from llmaz.local.objects.celnetwork import TYPE, tagged
from llmaz.local.objects.values import Json, Object, compact

Function: TypeAlias = Callable[..., Json]
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?", re.ASCII
)
_FORMATS = {
    "dns1123Label": "k8s-short-name",
    "dns1123Subdomain": "k8s-long-name",
    "uri": "uri",
    "uuid": "uuid",
    "byte": "byte",
    "date": "date",
    "datetime": "date-time",
}


def _select(value: Json, key: Json) -> OptionalValue:
    """`a.?b`: the field as an optional; none of none, of null and of what has no such field."""
    value = _content(value)
    if isinstance(value, dict) and key in value:
        return OptionalValue.of(value[key])
    if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
        return OptionalValue.of(value[key])
    return OptionalValue.none()


def _content(value: Json) -> Json:
    if not isinstance(value, OptionalValue):
        return value
    return value.value() if value.has_value() else None


def _present(value: OptionalValue) -> list[Json]:
    return [value.value()] if value.has_value() else []


def _first(values: list[Json]) -> OptionalValue:
    return OptionalValue.of(values[0]) if values else OptionalValue.none()


def _flat(values: list[list[Json]]) -> OptionalValue:
    return _first(values[0] if values else [])


def _index_of(value: Json, item: Json, start: int = 0) -> int:
    if isinstance(value, list):
        return next((i for i, have in enumerate(value) if have == item), -1)
    return str(value).find(item, start)


def _last_index_of(value: Json, item: Json, end: int | None = None) -> int:
    if isinstance(value, list):
        return next((i for i in range(len(value) - 1, -1, -1) if value[i] == item), -1)
    return str(value).rfind(item, 0, None if end is None else end + len(item))


def _is_sorted(values: list[Json]) -> bool:
    return all(one <= other for one, other in pairwise(values))


def _find(text: str, pattern: str) -> str:
    found = patterns.compiled(pattern).search(text)
    return found.group() if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [match.group() for match in patterns.compiled(pattern).finditer(text)]
    return found if limit < 0 else found[:limit]


def _quantity(text: str) -> Object:
    return _amount(Quantity(text).value)


def _amount(value: Decimal) -> Object:
    return tagged("quantity", str(value.normalize()))


def _value(quantity: Json) -> Decimal:
    if isinstance(quantity, dict) and quantity.get(TYPE) == "quantity":
        return Decimal(quantity["text"])
    return Decimal(quantity)


def _is_quantity(text: Json) -> bool:
    try:
        Quantity(text)
    except (ValueError, TypeError):
        return False
    return True


def _as_integer(quantity: Json) -> int:
    if _value(quantity) % 1 != 0:
        raise ValueError("cannot convert value to integer")
    return int(_value(quantity))


def _version(text: str) -> Object:
    match = _SEMVER.fullmatch(text)
    if match is None:
        raise ValueError(f"parsing semver: {text!r}")
    return tagged("semver", text.partition("+")[0])


def _order(value: Json) -> tuple[Json, ...]:
    """Return what quantities, versions are compared by."""
    if not (isinstance(value, dict) and value.get(TYPE) == "semver"):
        return (_value(value),)
    match = _SEMVER.fullmatch(value["text"])
    if match is None:
        raise ValueError(f"parsing semver: {value['text']!r}")
    release = tuple(int(part) for part in match.groups()[:3])
    before = match[4]
    marks = [
        (not part.isdigit(), int(part) if part.isdigit() else part)
        for part in (before or "").split(".")
    ]
    return (*release, before is None, marks)


def _compare(one: Json, other: Json) -> int:
    return (_order(one) > _order(other)) - (_order(one) < _order(other))


def _formatted(pattern: str, values: list[Json]) -> str:
    """Fill `%s`, `%d`, `%.2f` and the like, one value each."""
    rest = iter(values)
    verb = re.compile(r"%(%|(?:\.\d+)?[sdfexXob])")

    def fill(match: re.Match[str]) -> str:
        if match[1] == "%":
            return "%"
        try:
            value = next(rest)
        except StopIteration:
            raise ValueError(f"index {len(values)} out of range") from None
        if match[1] == "s":
            return value if isinstance(value, str) else compact(value)
        return format(value, match[1])

    return verb.sub(fill, pattern)


def _format(name: str) -> Function:
    return lambda: tagged("format", _FORMATS[name])


def _validate(form: Object, text: str) -> OptionalValue:
    """Return the complaints of a named format about a text; none if it fits."""
    if formats.matches(text, form["text"]):
        return OptionalValue.none()
    return OptionalValue.of([f"must be of format {form['text']}"])


def _sum(values: list[Json]) -> Json:
    return sum(values[1:], values[0]) if values else 0


def _joined(values: list[str], separator: str = "") -> str:
    return separator.join(values)


FUNCTIONS: Mapping[str, Function] = {
    **{name: function for name, function in STDLIB_FUNCTIONS.items() if name != "contains"},
    **celnetwork.FUNCTIONS,
    **{f"format.{name}": _format(name) for name in _FORMATS},
    "__select": _select,
    "__at": _select,
    "__present": _present,
    "__first": _first,
    "__flat": _flat,
    "format": _formatted,
    "validate": _validate,
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "isSorted": _is_sorted,
    "sum": _sum,
    "min": min,
    "max": max,
    "join": _joined,
    "find": _find,
    "findAll": _find_all,
    "matches": lambda text, pattern: bool(patterns.compiled(pattern).search(text)),
    "quantity": _quantity,
    "isQuantity": _is_quantity,
    "isInteger": lambda quantity: _value(quantity) % 1 == 0,
    "asInteger": _as_integer,
    "asApproximateFloat": lambda quantity: float(_value(quantity)),
    "sign": lambda quantity: int(_value(quantity).compare(0)),
    "add": lambda one, other: _amount(_value(one) + _value(other)),
    "sub": lambda one, other: _amount(_value(one) - _value(other)),
    "compareTo": _compare,
    "isGreaterThan": lambda one, other: _compare(one, other) > 0,
    "isLessThan": lambda one, other: _compare(one, other) < 0,
    "semver": _version,
    "isSemver": lambda text: bool(_SEMVER.fullmatch(text)),
    "major": lambda version: _order(version)[0],
    "minor": lambda version: _order(version)[1],
    "patch": lambda version: _order(version)[2],
}
