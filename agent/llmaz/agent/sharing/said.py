"""What the sharing process tells the agent, a line each: where it listens, and its metrics."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from prometheus_client.core import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """It answers at this port from now on."""

    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The metrics of this moment."""

    families: tuple[Metric, ...]


Said: TypeAlias = Listening | Measured


def write_said(said: Said) -> str:
    """Write one line, without its end."""
    match said:
        case Listening(port=port):
            return json.dumps({"port": port})
        case Measured(families=families):
            return json.dumps({"families": [_written(family) for family in families]})


def read_said(line: bytes) -> Said:
    """Read one line; raise ValueError where it is none of these."""
    body = json.loads(line)
    if isinstance(body, dict) and isinstance(body.get("port"), int):
        return Listening(port=body["port"])
    if isinstance(body, dict) and isinstance(body.get("families"), list):
        return Measured(families=tuple(_family(entry) for entry in body["families"]))
    raise ValueError(f"the sharing process says what is not known here: {line[:200]!r}")


def _written(family: Metric) -> list[object]:
    samples: Iterable[list[object]] = (
        [sample.name, sample.labels, sample.value]
        for sample in family.samples
        if not sample.name.endswith("_created")
    )
    return [family.name, family.documentation, family.type, list(samples)]


def _family(entry: object) -> Metric:
    if not isinstance(entry, list) or len(entry) != 4:
        raise ValueError("a metric has a name, words, a type and samples")
    name, words, kind, samples = entry
    family = Metric(name, words, kind)
    for sample_name, labels, value in samples:
        if not isinstance(labels, Mapping):
            raise ValueError(f"the labels of {name} are none")
        family.add_sample(sample_name, dict(labels), float(value))
    return family
