"""Manifests from files, directories and standard input."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from llmaz.api.kinds import Kind
from llmaz.api.manifest import Manifest
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


def read(paths: list[str], default_namespace: str) -> list[Document]:
    """Read everything before anything is done with it; raise CliError saying where it is wrong."""
    found = [
        _document(document, where, default_namespace)
        for path in paths
        for where, text in _texts(path)
        for document in _parse(text, where)
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


def _parse(text: str, where: str) -> list[object]:
    try:
        found = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        raise CliError(f"{where} is not YAML: {_problem(error)}") from None
    return [item for document in found for item in _items(document)]


def _problem(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())


def _items(document: object) -> list[object]:
    """Return the objects of a `List`, or the one object that a document is."""
    if isinstance(document, dict) and document.get("kind") == "List":
        return list(document.get("items") or [])
    return [document]


def _document(document: object, where: str, default_namespace: str) -> Document:
    if not isinstance(document, dict):
        raise CliError(f"{where}: a manifest is an object, not {type(document).__name__}")
    kind = of_manifest(document, where)
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str) or not name:
        raise CliError(f"{where}: metadata.name of a {kind.kind} is required")
    if not kind.namespaced:
        return Document(kind, name, None, document)
    namespace = str(metadata.get("namespace") or default_namespace)
    placed = document | {"metadata": metadata | {"namespace": namespace}}
    return Document(kind, name, namespace, placed)
