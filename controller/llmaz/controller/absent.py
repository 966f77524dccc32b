"""Why an object that another names can't be used: there is none, or it can't be read."""

from typing import Literal

from llmaz.api.kinds import BACKEND_RUNTIME, OPEN_MODEL
from llmaz.controller.actions import Refusal
from llmaz.controller.snapshot import ClusterSnapshot, Ref

_KINDS = {"Model": OPEN_MODEL, "Runtime": BACKEND_RUNTIME}


def absent(what: Literal["Model", "Runtime"], name: str, snapshot: ClusterSnapshot) -> Refusal:
    """Return the refusal for an OpenModel or BackendRuntime of which nothing is known.

    A server that knows older rules may hold what the programs refuse.
    """
    kind = _KINDS[what]
    unread = snapshot.unreadable.get(Ref(kind=kind, name=name))
    if unread is not None:
        words = f"{kind.kind} {name} can't be read: {unread.why}"
        return Refusal(reason=f"Invalid{what}", message=words)
    return Refusal(reason=f"{what}NotFound", message=f"{kind.kind} {name} does not exist")
