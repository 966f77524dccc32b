#!/usr/bin/env python3
"""Print the versions of all that the images install, as they are in this environment.

`make constraints` keeps them in constraints.txt: an image that is built later has what was tested.
"""

from collections.abc import Iterator
from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOTS = ("llmaz[agent]", "llmaz[controller]", "llmaz[gateway]", "xllamacpp")


def main() -> None:
    pins: dict[str, str] = {}
    for root in ROOTS:
        _walk(Requirement(root), pins, set())
    pins.pop("llmaz")
    for name, version in sorted(pins.items()):
        print(f"{name}=={version}")  # noqa: T201  # what it is for


def _walk(wanted: Requirement, pins: dict[str, str], seen: set[str]) -> None:
    name = canonicalize_name(wanted.name)
    pins[name] = distribution(name).version
    for needed in _needed(wanted):
        key = str(needed)
        if key not in seen:
            seen.add(key)
            _walk(needed, pins, seen)


def _needed(wanted: Requirement) -> Iterator[Requirement]:
    extras = wanted.extras or {""}
    for text in distribution(wanted.name).requires or ():
        needed = Requirement(text)
        marker = needed.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
            yield needed


if __name__ == "__main__":
    main()
