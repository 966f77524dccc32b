"""Placeholders in the arguments of a recommendedConfig: `{{ .ModelPath }}`.

What is known when the replica is placed becomes text. What only its node knows becomes a reference
to a variable that the agent sets, `$(LLMAZ_MODEL_PATH)`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from llmaz.api import names

_PLACEHOLDER = re.compile(r"\{\{\s*\.(\w+)\s*\}\}")
_NAMES = frozenset({"ModelName", "ModelPath", "DraftModelPath", "Host", "Port", "TP", "PP"})


@dataclass(frozen=True, slots=True)
class UnknownPlaceholder:
    """A placeholder that stands for nothing here, and those that do stand for something."""

    name: str
    known: tuple[str, ...]

    def __str__(self) -> str:
        known = ", ".join(f"{{{{ .{name} }}}}" for name in self.known)
        return f"{{{{ .{self.name} }}}} is not known here; known are {known}"


def placeholders(
    *, model_name: str, draft: bool = False, params: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return what each placeholder stands for.

    `params` are those of the flavor that the replica runs on: TP accelerators on each of PP nodes,
    where one that is missing beside the other is 1.
    """
    values = {
        "ModelName": model_name,
        "ModelPath": f"$({names.MODEL_PATH})",
        "Host": f"$({names.HOST})",
        "Port": f"$({names.PORT})",
    }
    if draft:
        values["DraftModelPath"] = f"$({names.DRAFT_MODEL_PATH})"
    if params and ("TP" in params or "PP" in params):
        values |= {"TP": params.get("TP", "1"), "PP": params.get("PP", "1")}
    return values


def unfilled(text: str) -> str | None:
    """Return the first placeholder of a text that stands for nothing anywhere, in its braces."""
    strange = (name for name in _PLACEHOLDER.findall(text) if name not in _NAMES)
    return next((f"{{{{ .{name} }}}}" for name in strange), None)


def render(texts: Iterable[str], values: Mapping[str, str]) -> tuple[str, ...] | UnknownPlaceholder:
    """Put the values in the places of the placeholders, all of them or none.

    Text that only looks like a placeholder, such as `{{ ModelPath }}`, stays as it is.
    """
    texts = tuple(texts)
    for name in (name for text in texts for name in _PLACEHOLDER.findall(text)):
        if not values.get(name):
            known = tuple(sorted(known for known, value in values.items() if value))
            return UnknownPlaceholder(name, known)
    return tuple(_PLACEHOLDER.sub(lambda match: values[match[1]], text) for text in texts)
