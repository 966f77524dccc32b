"""Which nodes hold a model that no engine of theirs serves, so that the next one finds it there.

Replicas that wait for a place come first, then models by their priority, then by name: the order
counts where a node's cache can't hold all. What a node was told to hold stays there while it may.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from llmaz.api import names
from llmaz.api.node import AssignedModel, InferenceNode
from llmaz.api.openmodel import Flavor, OpenModel, Prefetch
from llmaz.controller.flavors import ANY, selector_of
from llmaz.controller.nodes import NodeView

# Of a node's cache. The rest is for what is needed at once; above, evictions and fetches would
# take turns.
MOST_SHARE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A model that some nodes shall hold ahead."""

    model: AssignedModel
    flavors: tuple[Flavor, ...]
    selector: Mapping[str, str]
    nodes: int | None  # None: all that may serve it
    rank: tuple[int, int, str]  # the lower comes first


def wish_of(model: OpenModel) -> Wish | None:
    """Return what an OpenModel's spec.prefetch, or its annotation, asks for."""
    wanted = model.spec.prefetch
    if wanted is None and model.metadata.annotations.get(names.MODEL_PREHEAT) == "true":
        wanted = Prefetch()
    if wanted is None or model.metadata.deletion_timestamp is not None:
        return None
    return Wish(
        model=AssignedModel(
            name=model.metadata.name,
            source=model.spec.source,
            secret_namespace=names.SYSTEM_NAMESPACE,
            secret=model.spec.secret,
            pin=wanted.pin,
            priority="prefetch",
        ),
        flavors=model.spec.inference_config.flavors or (ANY,),
        selector=wanted.node_selector,
        nodes=wanted.nodes,
        rank=(1, -wanted.priority, model.metadata.name),
    )


def wish_for_waiting(
    model: AssignedModel, flavors: tuple[Flavor, ...], replicas: int, prefix: str
) -> Wish:
    """Return the wish for replicas that wait for a place: it may be free before the weights are."""
    ahead = AssignedModel(
        name=model.name,
        source=model.source,
        secret_namespace=model.secret_namespace,
        secret=model.secret,
        priority="prefetch",
    )
    return Wish(
        model=ahead,
        flavors=flavors,
        selector={},
        nodes=replicas,
        rank=(0, 0, f"{model.name} {prefix}"),
    )


def prefetch(
    wishes: Iterable[Wish],
    needed: Mapping[str, frozenset[str]],
    nodes: Mapping[str, InferenceNode],
    views: Mapping[str, NodeView],
    sizes: Mapping[str, int],
) -> dict[str, list[AssignedModel]]:
    """Return what each node shall hold ahead.

    `needed` are the models that the engines of each node use; those count as held. A model whose
    size nobody knows yet is taken to fit, since the agent refuses what does not.
    """
    held = {name: set(needed.get(name, frozenset())) for name in nodes}
    given: dict[str, list[AssignedModel]] = {name: [] for name in nodes}
    for wish in sorted(wishes, key=lambda wish: wish.rank):
        name = wish.model.name
        for node_name in _chosen(wish, held, nodes, views, sizes):
            if name not in held[node_name] or wish.model.pin:
                held[node_name].add(name)
                given[node_name].append(wish.model)
    return given


def _chosen(
    wish: Wish,
    held: Mapping[str, set[str]],
    nodes: Mapping[str, InferenceNode],
    views: Mapping[str, NodeView],
    sizes: Mapping[str, int],
) -> Iterator[str]:
    name = wish.model.name
    size = sizes.get(name, 0)
    left = len(nodes) if wish.nodes is None else wish.nodes
    for node_name in sorted(nodes, key=lambda one: _order(wish, one, held, nodes, views)):
        if left <= 0:
            return
        node, view = nodes[node_name], views[node_name]
        has = name in held[node_name]
        if has or (_may(wish, node, view) and _has_room(node, held[node_name], sizes, size)):
            left -= 1
            yield node_name


def _order(
    wish: Wish,
    node_name: str,
    held: Mapping[str, set[str]],
    nodes: Mapping[str, InferenceNode],
    views: Mapping[str, NodeView],
) -> tuple[bool, bool, bool, int, str]:
    """Rank a node: it serves the model, is told to hold it, holds it; else any, but always so.

    The checksum spreads models over the nodes; names alone would fill the first ones.
    """
    name = wish.model.name
    spread = zlib.crc32(f"{name} {node_name}".encode())
    return (
        name not in held[node_name],
        not _is_told(name, nodes[node_name]),
        name not in views[node_name].models,
        spread,
        node_name,
    )


def _may(wish: Wish, node: InferenceNode, view: NodeView) -> bool:
    """Tell whether a node is selected and could serve the model; one that is closed keeps it."""
    if not _matches(wish.selector, view.labels):
        return False
    told = _is_told(wish.model.name, node)
    if view.is_lost or (view.closed is not None and not told):
        return False
    return any(_could_serve(flavor, view, told=told) for flavor in wish.flavors)


def _could_serve(flavor: Flavor, view: NodeView, *, told: bool) -> bool:
    if not _matches(selector_of(flavor), view.labels):
        return False
    asked = {name: int(count) for name, count in flavor.limits.items() if "/" in name}
    if asked and view.accelerators is None:
        return told  # not known: no reason to change anything
    there = [device.resource for device in view.accelerators or ()]
    return all(there.count(resource) >= count for resource, count in asked.items())


def _has_room(node: InferenceNode, held: set[str], sizes: Mapping[str, int], size: int) -> bool:
    cache = node.status.cache
    bound = None if cache is None else cache.quota_bytes or cache.disk_bytes
    if bound is None:
        return True
    return sum(sizes.get(name, 0) for name in held) + size <= bound * MOST_SHARE


def _is_told(name: str, node: InferenceNode) -> bool:
    return any(model.name == name for model in node.spec.models)


def _matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in selector.items())
