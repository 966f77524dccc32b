"""Why an object that another names can't be used: there is none, or it can't be read."""

from llmaz.api.kinds import BACKEND_RUNTIME, OPEN_MODEL, Kind
from llmaz.controller.actions import Refusal
from llmaz.controller.snapshot import ClusterSnapshot, Ref

_NOT_FOUND = {OPEN_MODEL: "ModelNotFound", BACKEND_RUNTIME: "RuntimeNotFound"}
_INVALID = {OPEN_MODEL: "InvalidModel", BACKEND_RUNTIME: "InvalidRuntime"}


def absent(kind: Kind, name: str, snapshot: ClusterSnapshot) -> Refusal:
    """Return the refusal for an OpenModel or BackendRuntime of which nothing is known.

    A server that knows older rules may hold what the programs refuse.
    """
    unread = snapshot.unreadable.get(Ref(kind=kind, name=name))
    if unread is not None:
        words = f"{kind.kind} {name} can't be read: {unread.why}"
        return Refusal(reason=_INVALID[kind], message=words)
    return Refusal(reason=_NOT_FOUND[kind], message=f"{kind.kind} {name} does not exist")
