"""Objects that the controller makes: written with their owner, and only when they differ.

A digest in an annotation tells whether the last write was this one, so that a field which is no
longer wanted is noticed; comparing what is wanted with what is there notices foreign edits. What
others added beside is theirs.
"""

from collections.abc import Mapping
from typing import cast

from llmaz.api.kinds import Kind
from llmaz.api.manifest import Json, Manifest, digest
from llmaz.api.meta import ObjectMeta, OwnerReference
from llmaz.api.names import APPLIED
from llmaz.controller.actions import ApplyOwned
from llmaz.controller.snapshot import Ref


def ensure(ref: Ref, wanted: Manifest, seen: "Manifest | None") -> ApplyOwned | None:
    """Return the write that makes an object as it is wanted, or None where it is."""
    stamped = _stamped(wanted)
    if seen is not None and _contains(seen, stamped):
        return None
    version = str(_metadata(seen).get("resourceVersion", "")) if seen is not None else ""
    return ApplyOwned(ref=ref, manifest=stamped, version=version)


def reference(kind: Kind, owner: ObjectMeta) -> Manifest:
    """Return the ownerReference of what the controller makes for an object."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owner_of(manifest: Manifest) -> str | None:
    """Return the uid of the object that controls this one."""
    references = _metadata(manifest).get("ownerReferences")
    for reference in references if isinstance(references, list) else ():
        if isinstance(reference, dict) and reference.get("controller"):
            return str(reference.get("uid"))
    return None


def controller_of(references: tuple[OwnerReference, ...]) -> str | None:
    """Return the uid of the owner that controls, among the references of an object."""
    return next((reference.uid for reference in references if reference.controller), None)


def labels_of(manifest: Manifest) -> Mapping[str, Json]:
    labels = _metadata(manifest).get("labels")
    return labels if isinstance(labels, dict) else {}


def uid_of(manifest: Manifest) -> str:
    return str(_metadata(manifest).get("uid", ""))


def _stamped(manifest: Manifest) -> Manifest:
    meta = _metadata(manifest)
    annotations = {**cast("Manifest", meta.get("annotations") or {}), APPLIED: digest(manifest)}
    return {**manifest, "metadata": {**meta, "annotations": annotations}}


def _contains(seen: Json, wanted: Json) -> bool:
    """Tell whether everything wanted is there; items with a name are found by it."""
    if isinstance(wanted, dict):
        # Most members are equal, which a comparison of the whole tells at once.
        return isinstance(seen, dict) and all(
            key in seen and (seen[key] == value or _contains(seen[key], value))
            for key, value in wanted.items()
        )
    if not isinstance(wanted, list):
        return seen == wanted
    if not isinstance(seen, list):
        return False
    if wanted and all(isinstance(item, dict) and "name" in item for item in wanted):
        named = {item["name"]: item for item in seen if isinstance(item, dict) and "name" in item}
        items = cast("list[Manifest]", wanted)
        return all(_contains(named.get(item["name"]), item) for item in items)
    return len(seen) == len(wanted) and all(map(_contains, seen, wanted))


def _metadata(manifest: Manifest) -> Manifest:
    return cast("Manifest", manifest["metadata"])
