r"""JSONPath as printer columns write it: `.status.conditions[?(@.type=="Ready")].status`.

Fields (dots in a name escaped: `.metadata.labels.kubernetes\.io/os`, or in brackets), indices,
slices, `*`, `..` and filters with one comparison or the existence of a field. A path that can't be
read raises PathError.
"""

import functools
import json
import re
from collections.abc import Callable, Iterator
from typing import TypeAlias

from llmaz.local.objects.values import Json, equal

Step: TypeAlias = Callable[[Json], Iterator[Json]]

_FIELD = re.compile(r"\.?((?:\\.|[^.\[\]\\\s{}])+)")
_INDEX = re.compile(r"\[\s*(-?\d+)\s*\]")
_SLICE = re.compile(r"\[\s*(-?\d*)\s*:\s*(-?\d*)\s*(?::\s*(-?\d*)\s*)?\]")
_NAMES = re.compile(r"\[\s*((?:'[^']*'|\"[^\"]*\")(?:\s*,\s*(?:'[^']*'|\"[^\"]*\"))*)\s*\]")
_NAME = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_FILTER = re.compile(r"\[\?\(\s*((?:\"(?:\\.|[^\"])*\"|'(?:\\.|[^'])*'|[^()\"'])*)\s*\)\]")
_COMPARISON = re.compile(r"@([^=!<>\s]*)\s*(==|!=|<=|>=|<|>)\s*(.+)")


class PathError(ValueError):
    """A JSONPath that can't be read."""


@functools.lru_cache(maxsize=1024)
def compiled(path: str) -> Callable[[Json], list[Json]]:
    """Return the function that finds what a path names, in order."""
    steps = tuple(_steps(path.strip()))

    def find(value: Json) -> list[Json]:
        found = [value]
        for step in steps:
            found = [result for item in found for result in step(item)]
        return found

    return find


def _steps(path: str) -> Iterator[Step]:
    if path.startswith("{") and path.endswith("}"):
        path = path[1:-1].strip()
    rest = path.removeprefix("$")
    if rest in ("", "."):
        return
    while rest:
        step, rest = _step(rest, path)
        yield step


def _step(rest: str, path: str) -> tuple[Step, str]:
    if rest.startswith("..") and len(rest) > 2:
        return _descend, rest[1:] if rest[2] != "[" else rest[2:]
    for star in (".*", "[*]", "*"):
        if rest.startswith(star):
            return _every, rest[len(star) :]
    if match := _INDEX.match(rest):
        return _indexed(int(match[1])), rest[match.end() :]
    if match := _SLICE.match(rest):
        bounds = [int(part) if part else None for part in match.groups()]
        return _sliced(slice(*bounds)), rest[match.end() :]
    if match := _NAMES.match(rest):
        names = [one or other for one, other in _NAME.findall(match[1])]
        return _named(names), rest[match.end() :]
    if match := _FILTER.match(rest):
        return _filtered(match[1]), rest[match.end() :]
    match = _FIELD.match(rest)
    if match is None or (rest[0] != "." and rest is not path and path != "$" + rest):
        raise PathError(f"unrecognized character in action at {rest!r} of {path!r}")
    return _named([re.sub(r"\\(.)", r"\1", match[1])]), rest[match.end() :]


def _named(names: list[str]) -> Step:
    def step(value: Json) -> Iterator[Json]:
        if isinstance(value, dict):
            yield from (value[name] for name in names if name in value)

    return step


def _indexed(index: int) -> Step:
    def step(value: Json) -> Iterator[Json]:
        if isinstance(value, list) and -len(value) <= index < len(value):
            yield value[index]

    return step


def _sliced(bounds: slice) -> Step:
    def step(value: Json) -> Iterator[Json]:
        if isinstance(value, list):
            yield from value[bounds]

    return step


def _every(value: Json) -> Iterator[Json]:
    if isinstance(value, dict):
        yield from (value[key] for key in sorted(value))
    elif isinstance(value, list):
        yield from value


def _descend(value: Json) -> Iterator[Json]:
    yield value
    for item in _every(value):
        yield from _descend(item)


def _filtered(condition: str) -> Step:
    match = _COMPARISON.fullmatch(condition)
    if match is None:
        find = compiled(condition.removeprefix("@"))
        return lambda value: (item for item in _every(value) if find(item))
    left, operator, right = compiled(match[1] or "."), match[2], _operand(match[3].strip())

    def step(value: Json) -> Iterator[Json]:
        for item in _every(value):
            if any(_holds(found, operator, other) for found in left(item) for other in right(item)):
                yield item

    return step


def _operand(text: str) -> Callable[[Json], list[Json]]:
    if text.startswith("@"):
        return compiled(text[1:])
    if text[0] == text[-1] == "'" and len(text) > 1:
        literal: Json = text[1:-1]
    else:
        try:
            literal = json.loads(text)
        except ValueError:
            raise PathError(f"unrecognized value {text!r} in a filter") from None
    return lambda _: [literal]


def _holds(one: Json, operator: str, other: Json) -> bool:
    if operator in ("==", "!="):
        return equal(one, other) is (operator == "==")
    if isinstance(one, str) is not isinstance(other, str):
        return False
    match operator:
        case "<":
            return bool(one < other)
        case "<=":
            return bool(one <= other)
        case ">":
            return bool(one > other)
    return bool(one >= other)
