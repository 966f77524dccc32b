"""What the node shall hold, as the agent noted it last: that stays, and may be had by others."""

from collections.abc import Callable
from pathlib import Path

from llmaz.agent.addresses import is_loopback
from llmaz.agent.cache.origin import NodePath, Unsupported, home_of, origin_of
from llmaz.agent.cache.store import Tree
from llmaz.agent.kept import AssignmentFile
from llmaz.agent.sharing.settings import MirrorFetch
from llmaz.api.node import AssignedModel, NodeSpec

Noted = Callable[[], NodeSpec | None]


def noted_by_agent(state_dir: Path | None) -> Noted:
    """Return what reads the last assignment; None where it can't be known."""

    def noted() -> NodeSpec | None:
        if state_dir is None:
            return None
        try:
            assignment = AssignmentFile(state_dir).load()
        except (OSError, ValueError):  # a ManifestError is a ValueError
            return None
        return NodeSpec() if assignment is None else assignment.spec

    return noted


def trees_of(cache_dir: Path, spec: NodeSpec | None) -> frozenset[Path]:
    """Return the trees that stay: those of assigned models, or all where these aren't known."""
    if spec is None:
        return frozenset({cache_dir})
    return frozenset(Tree.of(cache_dir, *home).root for home in homes_of(spec.models))


def why_not_fetched(
    policy: MirrorFetch,
    home: tuple[str, str],
    remote: str | None,
    spec: NodeSpec | None,
) -> str | None:
    """Say why a client may not fill the cache with a repository; None where it may.

    `assigned` lets clients on the node fetch all: engines are among them. What comes from elsewhere
    is fetched if the node shall hold it anyway, so that no stranger fills the node's disk.
    """
    if policy == "any" or (policy == "assigned" and is_loopback(remote or "")):
        return None
    if policy != "assigned":
        return "this cache fetches nothing for its clients"
    if spec is not None and home in homes_of(spec.models):
        return None
    return f"{home[1]} is not assigned to this node, and is not fetched for other machines"


def homes_of(models: tuple[AssignedModel, ...]) -> frozenset[tuple[str, str]]:
    """Return the repositories that models come from: family and name."""
    origins = [origin_of(model.source) for model in models]
    return frozenset(
        home_of(origin) for origin in origins if not isinstance(origin, NodePath | Unsupported)
    )
