"""Manifests from files, directories and standard input."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from llmaz.api.kinds import Kind
from llmaz.api.manifest import Manifest, ManifestError
from llmaz.api.objects import CLASSES, from_manifest
from llmaz.api.validation import validate
from llmaz.cli.errors import NOT_FOUND, CliError
from llmaz.cli.kinds import of_manifest

_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a file."""

    kind: Kind
    name: str
    namespace: str | None  # None where the kind has none
    manifest: Manifest
    where: str  # for people: the file, and which of its documents

    @property
    def errors(self) -> tuple[ManifestError, ...]:
        """What is wrong with it; of kinds that are not llmaz's, only the server knows."""
        if self.kind not in CLASSES:
            return ()
        try:
            return validate(from_manifest(self.manifest))
        except ManifestError as error:
            return (error,)


def read(paths: list[str], default_namespace: str) -> list[Document]:
    """Read everything before anything is done with it; raise CliError saying where it is wrong."""
    found = [
        _document(document, f"{file}{part}", default_namespace)
        for path in paths
        for file, text in _texts(path)
        for part, document in _parse(text, file)
    ]
    if not found:
        raise CliError(f"no object found in {', '.join(paths)}")
    return found


def _texts(path: str) -> Iterator[tuple[str, str]]:
    if path == "-":
        yield "standard input", sys.stdin.read()
        return
    root = Path(path)
    files = sorted(p for p in root.iterdir() if p.suffix in _SUFFIXES) if root.is_dir() else [root]
    for file in files:
        try:
            yield str(file), file.read_text()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise CliError(f"cannot read {file}: {reason}", code=NOT_FOUND) from None
        except UnicodeDecodeError:
            raise CliError(f"{file} is not text") from None


def _parse(text: str, where: str) -> list[tuple[str, object]]:
    """Return each object, and which of the text's documents it is where there are several."""
    try:
        found = [document for document in yaml.safe_load_all(text) if document is not None]
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that no calendar has
        raise CliError(f"{where} is not YAML: {_problem(error)}") from None
    parts = [f", document {number}" for number in range(1, len(found) + 1)]
    named = zip(parts if len(found) > 1 else [""], found, strict=True) if found else ()
    return [(part, item) for part, document in named for item in _items(document, where + part)]


def _problem(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())


def _items(document: object, where: str) -> list[object]:
    """Return the objects of a `List`, or the one object that a document is."""
    if not isinstance(document, dict) or document.get("kind") != "List":
        return [document]
    items = document.get("items") or []
    if not isinstance(items, list):
        raise CliError(f"{where}: items: must be a list, not {type(items).__name__}")
    return items


def _document(document: object, where: str, default_namespace: str) -> Document:
    if not isinstance(document, dict):
        raise CliError(f"{where}: a manifest is an object, not {type(document).__name__}")
    kind = of_manifest(document, where)
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str) or not name:
        raise CliError(f"{where}: metadata.name of a {kind.kind} is required")
    if not kind.namespaced:
        return Document(kind, name, None, document, where)
    namespace = metadata.get("namespace") or default_namespace
    if not isinstance(namespace, str) or metadata.get("namespace") is False:
        raise CliError(f"{where}: metadata.namespace must be a string; quote it if it is one")
    placed = document | {"metadata": metadata | {"namespace": namespace}}
    return Document(kind, name, namespace, placed, where)
