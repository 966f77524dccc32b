"""The form of an answer, chosen from the Accept header: JSON or YAML, objects or tables.

Protobuf is never spoken: a client that accepts it also names JSON, and one that does not gets a
406.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from llmaz.local.apiserver.status import not_acceptable

JSON = "application/json"
YAML = "application/yaml"
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
_FORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")

Form = Literal["", "Table", "PartialObjectMetadata"]


@dataclass(frozen=True, slots=True)
class Clause:
    """One media type of an Accept header with its parameters."""

    type: str
    parameters: dict[str, str]

    def is_meta(self) -> bool:
        versions = ("v1", "v1beta1")
        return self.parameters.get("g") == "meta.k8s.io" and self.parameters.get("v") in versions


@dataclass(frozen=True, slots=True)
class Answer:
    """How to write an answer."""

    media_type: str
    form: Form = ""


def clauses(accept: str) -> list[Clause]:
    """Return the media types of an Accept header, the most wanted first."""
    parsed = [_clause(part) for part in accept.split(",") if part.strip()]
    parsed.sort(key=lambda clause: -_weight(clause))
    return parsed or [Clause("*/*", {})]


@lru_cache(256)  # clients send the same few headers with every request
def negotiated(accept: str, *, forms: bool = True) -> Answer:
    """Choose the first acceptable form; `forms` says whether tables and metadata can be had."""
    for clause in clauses(accept):
        for answer in _offers(clause, forms=forms):
            return answer
    raise not_acceptable((JSON, YAML))


def discovery_version(accept: str) -> str:
    """Return the wanted version of the aggregated discovery form, empty for the plain one."""
    for clause in clauses(accept):
        wanted = clause.parameters
        if clause.type == JSON and wanted.get("g") == "apidiscovery.k8s.io":
            if wanted.get("v") in ("v2", "v2beta1"):
                return wanted["v"]
        elif clause.type in (JSON, "*/*", "application/*"):
            return ""
    raise not_acceptable((JSON, YAML))


def _offers(clause: Clause, *, forms: bool) -> Iterator[Answer]:
    media_type = {"*/*": JSON, "application/*": JSON}.get(clause.type, clause.type)
    if media_type not in (JSON, YAML):
        return
    wanted = clause.parameters.get("as", "")
    if not wanted:
        yield Answer(media_type)
    elif forms and wanted in _FORMS and clause.is_meta():
        yield Answer(media_type, "Table" if wanted == "Table" else "PartialObjectMetadata")


def _clause(part: str) -> Clause:
    type_, *parameters = (piece.strip() for piece in part.split(";"))
    pairs = (parameter.partition("=") for parameter in parameters)
    return Clause(type_.lower(), {key.strip(): value.strip() for key, _, value in pairs})


def _weight(clause: Clause) -> float:
    try:
        return float(clause.parameters.get("q", "1"))
    except ValueError:
        return 1.0
