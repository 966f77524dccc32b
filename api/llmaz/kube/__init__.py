"""The Kubernetes API for every program: verbs on plain manifests, informers, one tree of errors.

The only place that imports the `kubernetes` package.
"""

from llmaz.kube.client import Kube, Listing, WatchEvent
from llmaz.kube.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    KubeError,
    NotFound,
    OutOfSpace,
    Unauthorized,
    Unavailable,
)
from llmaz.kube.informer import Informer

__all__ = [
    "AlreadyExists",
    "Conflict",
    "Forbidden",
    "Gone",
    "Informer",
    "Invalid",
    "Kube",
    "KubeError",
    "Listing",
    "NotFound",
    "OutOfSpace",
    "Unauthorized",
    "Unavailable",
    "WatchEvent",
]
