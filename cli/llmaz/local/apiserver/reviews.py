"""Self reviews, which `kubectl auth` asks for: the one user may do everything."""

from llmaz.local.apiserver.auth import GROUPS
from llmaz.local.apiserver.resource import Resource
from llmaz.local.objects.values import Object, Schema

_SCHEMA: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_ALL = ["*"]


def review_resources() -> list[Resource]:
    """Return the reviews as resources: they can be created, and are kept nowhere."""
    return [
        _review("authentication.k8s.io", "SelfSubjectReview"),
        _review("authorization.k8s.io", "SelfSubjectAccessReview"),
        _review("authorization.k8s.io", "SelfSubjectRulesReview"),
    ]


def _review(group: str, kind: str) -> Resource:
    return Resource(
        group=group,
        version="v1",
        kind=kind,
        plural=f"{kind.lower()}s",
        singular=kind.lower(),
        namespaced=False,
        schema=_SCHEMA,
        storage="",
        verbs=("create",),
    )


def is_review(resource: Resource) -> bool:
    return not resource.storage


def answered(resource: Resource, review: Object, user: str) -> Object:
    """Return a review with its status."""
    match resource.kind:
        case "SelfSubjectReview":
            status: Object = {"userInfo": {"username": user, "groups": list(GROUPS)}}
        case "SelfSubjectAccessReview":
            status = {"allowed": True}
        case _:
            status = {
                "resourceRules": [{"verbs": _ALL, "apiGroups": _ALL, "resources": _ALL}],
                "nonResourceRules": [{"verbs": _ALL, "nonResourceURLs": _ALL}],
                "incomplete": False,
            }
    head = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": {}}
    return head | {"spec": review.get("spec", {}), "status": status}
