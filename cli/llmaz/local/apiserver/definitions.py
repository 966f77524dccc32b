"""CustomResourceDefinitions: defaults, checks, status, and what they define. All pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from llmaz.local.apiserver.metadata import meta
from llmaz.local.apiserver.resource import ALL_VERBS, Resource, Scale
from llmaz.local.objects.fielderror import FieldError
from llmaz.local.objects.schema import structural_errors
from llmaz.local.objects.table import column_errors, printer_columns
from llmaz.local.objects.values import Object

STORAGE = "customresourcedefinitions.apiextensions.k8s.io"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_VERSION = re.compile(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?")
_STAGES = {"": 2, "beta": 1, "alpha": 0}
# A custom resource's discovery lists its verbs in this order.
CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
assert set(CUSTOM_VERBS) == set(ALL_VERBS)


def with_defaults(obj: Object) -> Object:
    """Return a CRD with the names and the conversion that it leaves out."""
    spec = obj.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("names"), dict):
        return obj
    kind = str(spec["names"].get("kind", ""))
    names = {"singular": kind.lower(), "listKind": f"{kind}List"} | spec["names"]
    conversion = spec.get("conversion") or {"strategy": "None"}
    return obj | {"spec": spec | {"names": names, "conversion": conversion}}


def prepared(obj: Object, old: Object | None) -> Object:
    """Return a new CRD with a status that says nothing yet; `settled` goes on from there."""
    if old is not None or not isinstance(obj.get("spec"), dict):
        return obj
    stored = [
        version.get("name", "") for version in _versions(obj["spec"]) if version.get("storage")
    ]
    accepted = {"plural": "", "kind": ""}
    return obj | {
        "status": {"conditions": None, "acceptedNames": accepted, "storedVersions": stored}
    }


def errors(obj: Object, old: Object | None) -> list[FieldError]:
    """Return what is wrong with a CRD beyond the types of its fields."""
    spec = obj.get("spec") or {}
    found = list(_name_errors(obj, spec))
    found += _version_errors(spec)
    if old is not None:
        found += _immutable_errors(spec, old["spec"])
    return found


def _name_errors(obj: Object, spec: Object) -> Iterator[FieldError]:
    names = spec.get("names") or {}
    wanted = f"{names.get('plural', '')}.{spec.get('group', '')}"
    if meta(obj).get("name") != wanted:
        yield FieldError(
            "metadata.name",
            "invalid",
            meta(obj).get("name", ""),
            'must be spec.names.plural+"."+spec.group',
        )
    if "." not in spec.get("group", ""):
        yield FieldError(
            "spec.group",
            "invalid",
            spec.get("group", ""),
            "should be a domain with at least one dot",
        )


def _version_errors(spec: Object) -> Iterator[FieldError]:
    versions = _versions(spec)
    if sum(bool(version.get("storage")) for version in versions) != 1:
        detail = "must have exactly one version marked as storage version"
        yield FieldError("spec.versions", "invalid", versions, detail)
    seen: set[str] = set()
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        if version["name"] in seen:
            detail = "must be unique"
            yield FieldError(f"{path}.name", "invalid", version["name"], detail)
        seen.add(version["name"])
        columns = version.get("additionalPrinterColumns") or []
        yield from column_errors(columns, f"{path}.additionalPrinterColumns")
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            yield FieldError(
                f"{path}.schema.openAPIV3Schema", "required", None, "schemas are required"
            )
            continue
        # The server holds the schema of a lone version outside of its list.
        where = "spec.validation" if len(versions) == 1 else f"{path}.schema"
        yield from structural_errors(schema, f"{where}.openAPIV3Schema")


def _immutable_errors(spec: Object, before: Object) -> Iterator[FieldError]:
    fields = (
        ("spec.group", spec.get("group"), before.get("group")),
        ("spec.scope", spec.get("scope"), before.get("scope")),
        ("spec.names.plural", spec["names"].get("plural"), before["names"].get("plural")),
        ("spec.names.kind", spec["names"].get("kind"), before["names"].get("kind")),
    )
    for path, value, was in fields:
        if value != was:
            yield FieldError(path, "invalid", value, "field is immutable")


def settled(obj: Object, others: Iterable[Object], now: str) -> Object:
    """Return a CRD with the status that follows from its names and those of accepted CRDs."""
    taken = _taken_names(obj, others)
    names = obj["spec"]["names"]
    clash = None
    for claim in _claimed(names):
        if (claim.of_kinds, claim.name) in taken:
            clash = claim  # the last one is told, as on the real server
    before = {item["type"]: item for item in obj["status"].get("conditions") or []}
    if clash is None:
        accepted = _condition("NamesAccepted", "True", "NoConflicts", "no conflicts found")
        established = _condition(
            "Established", "True", "InitialNamesAccepted", "the initial names have been accepted"
        )
    else:
        message = f'"{clash.name}" is already in use'
        reason = f"{clash.role}Conflict"
        accepted = _condition("NamesAccepted", "False", reason, message)
        established = before.get("Established") or _condition(
            "Established", "False", "NotAccepted", "not all names are accepted"
        )
    conditions = dict(before)
    for condition in (accepted, established):
        same = before.get(condition["type"], {}).get("status") == condition["status"]
        if not same:
            conditions[condition["type"]] = condition | {"lastTransitionTime": now}
    stored = obj["status"].get("storedVersions") or []
    current = [item["name"] for item in _versions(obj["spec"]) if item.get("storage")]
    status = obj["status"] | {
        "conditions": list(conditions.values()),
        "acceptedNames": names if clash is None else obj["status"]["acceptedNames"],
        "storedVersions": [*stored, *(name for name in current if name not in stored)],
    }
    return obj | {"status": status}


def terminating(obj: Object, now: str) -> Object:
    """Return a CRD under deletion with the condition that says so."""
    status = obj.get("status") or {}
    conditions = [item for item in status.get("conditions") or [] if item["type"] != "Terminating"]
    condition = _condition(
        "Terminating",
        "True",
        "InstanceDeletionInProgress",
        "CustomResource deletion is in progress",
    )
    conditions.append(condition | {"lastTransitionTime": now})
    return obj | {"status": status | {"conditions": conditions}}


def resources(crd: Object) -> list[Resource]:
    """Return the resources of an established CRD, the preferred version first."""
    conditions = (crd.get("status") or {}).get("conditions") or []
    if not any(item["type"] == "Established" and item["status"] == "True" for item in conditions):
        return []
    versions = [version for version in _versions(crd["spec"]) if version.get("served")]
    versions.sort(key=lambda version: _priority(version["name"]), reverse=True)
    return [_resource(crd["spec"], version) for version in versions]


def _resource(spec: Object, version: Object) -> Resource:
    names = spec["names"]
    subresources = version.get("subresources") or {}
    return Resource(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        singular=names["singular"],
        list_kind=names["listKind"],
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        namespaced=spec["scope"] == "Namespaced",
        storage=f"{names['plural']}.{spec['group']}",
        schema=version["schema"]["openAPIV3Schema"],
        verbs=CUSTOM_VERBS,
        columns=printer_columns(version.get("additionalPrinterColumns")),
        selectable=tuple(
            field["jsonPath"].removeprefix(".") for field in version.get("selectableFields") or ()
        ),
        has_status="status" in subresources,
        has_generation=True,
        scale=_scale(subresources.get("scale")),
        custom=True,
    )


def _scale(scale: Object | None) -> Scale | None:
    if scale is None:
        return None
    return Scale(
        spec_replicas=scale["specReplicasPath"],
        status_replicas=scale["statusReplicasPath"],
        label_selector=scale.get("labelSelectorPath", ""),
    )


def _priority(version: str) -> tuple[int, int, int, str]:
    """Order versions as Kubernetes prefers them: v2, v1, v1beta2, v1alpha1, then any other name."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return (-1, 0, 0, version)
    major, stage, minor = match.groups()
    return (_STAGES[stage or ""], int(major), int(minor or 0), version)


def _versions(spec: Object) -> list[Object]:
    return [version for version in spec.get("versions") or [] if isinstance(version, dict)]


def _condition(type_: str, status: str, reason: str, message: str) -> Object:
    return {"type": type_, "status": status, "reason": reason, "message": message}


@dataclass(frozen=True, slots=True)
class _Claim:
    """A name that a CRD wants; kinds have names of their own, all others share theirs."""

    role: str
    name: str
    of_kinds: bool = False


def _claimed(names: Object) -> Iterator[_Claim]:
    yield _Claim("Plural", names["plural"])
    yield _Claim("Singular", names["singular"])
    for name in names.get("shortNames") or ():
        yield _Claim("ShortNames", name)
    yield _Claim("Kind", names["kind"], of_kinds=True)
    yield _Claim("ListKind", names["listKind"], of_kinds=True)


def _taken_names(obj: Object, others: Iterable[Object]) -> set[tuple[bool, str]]:
    taken: set[tuple[bool, str]] = set()
    for other in others:
        if meta(other)["name"] == meta(obj)["name"]:
            continue
        accepted = (other.get("status") or {}).get("acceptedNames") or {}
        if other["spec"]["group"] == obj["spec"]["group"] and accepted.get("kind"):
            taken.update((claim.of_kinds, claim.name) for claim in _claimed(accepted))
    return taken
