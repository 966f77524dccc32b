"""One object as text for people. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import yaml

from llmaz.api.manifest import Json, Manifest


def description(manifest: Manifest, events: Iterable[Manifest]) -> str:
    """Describe an object: who it is, its conditions, its specification, its events."""
    return "\n".join(
        [
            *_identity(manifest),
            *_conditions(manifest),
            *_as_yaml("Spec", manifest.get("spec")),
            *_as_yaml("Status", _without_conditions(_object(manifest.get("status")))),
            *_events(events),
        ]
    )


def _identity(manifest: Manifest) -> Iterator[str]:
    metadata = _object(manifest.get("metadata"))
    yield f"{manifest.get('kind')} {metadata.get('name')}"
    for title, key in (("Namespace", "namespace"), ("Created", "creationTimestamp")):
        if metadata.get(key):
            yield f"{title + ':':<12}{metadata[key]}"
    labels = _object(metadata.get("labels"))
    if labels:
        yield f"{'Labels:':<12}{', '.join(f'{key}={value}' for key, value in labels.items())}"


def _conditions(manifest: Manifest) -> Iterator[str]:
    conditions = _list(_object(manifest.get("status")).get("conditions"))
    if conditions:
        yield "Conditions:"
        yield from _columns(
            [
                [str(one.get(key) or "") for key in ("type", "status", "reason", "message")]
                for one in conditions
            ]
        )


def _events(events: Iterable[Manifest]) -> Iterator[str]:
    told = sorted(events, key=_when)
    if told:
        yield "Events:"
        yield from _columns(
            [
                [str(event.get(key) or "") for key in ("lastTimestamp", "reason", "message")]
                for event in told
            ]
        )


def _when(event: Manifest) -> tuple[str, int]:
    """Order Events by their time, which has whole seconds alone, and then as they were written."""
    version = str(_object(event.get("metadata")).get("resourceVersion", ""))
    return str(event.get("lastTimestamp") or ""), int(version) if version.isdecimal() else 0


def _as_yaml(title: str, content: Json) -> Iterator[str]:
    if content:
        yield f"{title}:"
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        yield from (f"  {line}" for line in text.splitlines())


def _without_conditions(status: Manifest) -> Manifest:
    return {key: value for key, value in status.items() if key != "conditions"}


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lay rows out in columns; the last one, a sentence, is as long as it is."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
        yield "  " + "  ".join([*cells, row[-1]]).rstrip()


def _object(value: Json) -> Manifest:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Manifest]:
    return cast("list[Manifest]", value) if isinstance(value, list) else []
