"""What the server serves, as clients discover it: the plain documents and the aggregated ones."""

import base64
import hashlib
from collections.abc import Iterator

from llmaz.local.apiserver import pods
from llmaz.local.apiserver.registry import Registry
from llmaz.local.apiserver.resource import Resource
from llmaz.local.objects.values import Object

_SUBRESOURCE_VERBS = ["get", "patch", "update"]


def api_versions() -> Object:
    """The answer to /api. A server address for clients in other networks is not offered."""
    return {"kind": "APIVersions", "versions": ["v1"]}


def group_list(registry: Registry) -> Object:
    """The answer to /apis."""
    groups = [_group(name, versions) for name, versions in registry.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(registry: Registry, name: str) -> Object | None:
    """The answer to /apis/<group>."""
    versions = registry.groups().get(name)
    if not name or versions is None:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1"} | _group(name, versions)


def resource_list(registry: Registry, group: str, version: str) -> Object | None:
    """The answer to /api/v1 and /apis/<group>/<version>."""
    resources = sorted(registry.of(group, version), key=lambda item: item.plural)
    if not resources:
        return None
    group_version = f"{group}/{version}" if group else version
    listed = [entry for resource in resources for entry in _entries(resource)]
    document: Object = {"kind": "APIResourceList", "groupVersion": group_version}
    document["resources"] = listed
    return document if not group else {"apiVersion": "v1"} | document


def aggregated(registry: Registry, discovery_version: str, *, core: bool) -> Object:
    """The answer to /api or /apis for a client that wants everything in one document."""
    items = []
    for name, versions in registry.groups().items():
        if (name == "") != core:
            continue
        described = [_described(registry, name, version) for version in versions]
        items.append({"metadata": {"name": name} if name else {}, "versions": described})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{discovery_version}",
        "metadata": {},
        "items": items,
    }


def _group(name: str, versions: list[str]) -> Object:
    described = [{"groupVersion": f"{name}/{item}", "version": item} for item in versions]
    return {"name": name, "versions": described, "preferredVersion": described[0]}


def subresources(resource: Resource) -> Iterator[tuple[str, tuple[str, str, str], list[str]]]:
    """Yield each subresource's name, the group, version and kind it speaks, and its verbs."""
    own = (resource.group, resource.version, resource.kind)
    if resource.has_status:
        yield "status", own, _SUBRESOURCE_VERBS
    if resource.scale is not None:
        yield "scale", ("autoscaling", "v1", "Scale"), _SUBRESOURCE_VERBS
    if resource.storage == pods.STORAGE:
        yield from pods.SUBRESOURCES


def _entries(resource: Resource) -> Iterator[Object]:
    entry: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if "list" in resource.verbs:
        entry["storageVersionHash"] = _storage_hash(resource)
    yield entry
    for name, (group, version, kind), verbs in subresources(resource):
        entry = {"name": f"{resource.plural}/{name}", "singularName": "", "kind": kind}
        entry |= {"namespaced": resource.namespaced, "verbs": verbs}
        if group != resource.group:
            entry |= {"group": group, "version": version}
        yield entry


def _described(registry: Registry, group: str, version: str) -> Object:
    resources = sorted(registry.of(group, version), key=lambda item: item.plural)
    described = [_described_resource(resource) for resource in resources]
    return {"version": version, "freshness": "Current", "resources": described}


def _described_resource(resource: Resource) -> Object:
    described: Object = {
        "resource": resource.plural,
        "responseKind": _response_kind(resource, (resource.group, resource.version, resource.kind)),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        described["shortNames"] = list(resource.short_names)
    if resource.categories:
        described["categories"] = list(resource.categories)
    subs = [
        {"subresource": name, "responseKind": _response_kind(resource, kind), "verbs": verbs}
        for name, kind, verbs in subresources(resource)
    ]
    return described | ({"subresources": subs} if subs else {})


def _response_kind(resource: Resource, kind: tuple[str, str, str]) -> Object:
    group, version, name = kind
    if not resource.custom and group == resource.group:
        group = version = ""  # a built-in resource speaks the group and version of its list
    return {"group": group, "version": version, "kind": name}


def _storage_hash(resource: Resource) -> str:
    text = f"{resource.group}/{resource.version}/{resource.kind}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()
