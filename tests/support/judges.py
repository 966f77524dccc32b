"""The two that judge a manifest: the types, and the CRD in the hands of an API server.

Each names the paths of what it refuses, and gives the object with its defaults.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import yaml

from llmaz.api.kinds import Kind
from llmaz.api.manifest import Manifest, ManifestError, encode
from llmaz.api.objects import CLASSES, from_manifest, kind_of
from llmaz.api.validation import validate
from llmaz.local.objects import schema
from support.manifests import CHART


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a manifest, as path and words; nothing where it is accepted."""

    problems: tuple[tuple[str, str], ...] = ()
    object: Manifest = field(default_factory=dict)

    def is_about(self, path: str) -> bool:
        return any(
            where == path or where.startswith((path + ".", path + "["))
            for where, _ in self.problems
        )


Judge = Callable[[Manifest], Verdict]


def types(manifest: Manifest) -> Verdict:
    """Judge as the programs do that read a manifest themselves."""
    try:
        value = from_manifest(manifest)
    except ManifestError as error:
        return Verdict(((error.path, error.reason),))
    problems = tuple((error.path, error.reason) for error in validate(value))
    written = encode(value)
    assert isinstance(written, dict)
    return Verdict(problems, written)


def crd(manifest: Manifest) -> Verdict:
    """Judge as an API server does, with a client that is strict about unknown fields."""
    root = schema_of(kind_of(manifest))
    kept, unknown = schema.pruned(root, schema.defaulted(root, manifest))
    problems = [(path, "unknown field") for path in unknown]
    problems += [(error.path, error.message()) for error in schema.validate(root, kept)]
    return Verdict(tuple(problems), kept)


def schema_of(kind: Kind) -> Manifest:
    """Return the schema in the CRD that llmaz ships for a kind."""
    found = definition_of(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert isinstance(found, dict)
    return found


def definition_of(kind: Kind):  # type: ignore[no-untyped-def]  # noqa: ANN201  # free-form YAML
    """Return the CRD that llmaz ships for a kind."""
    return _DEFINITIONS[kind]


_DEFINITIONS = {
    kind: yaml.safe_load((CHART / "crds" / f"{kind.plural}.{kind.group}.yaml").read_text())
    for kind in CLASSES
}
