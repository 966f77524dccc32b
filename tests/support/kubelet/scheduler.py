"""The stand-in for kube-scheduler: binds pods by resources, labels, taints and affinity."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import cast

import aiohttp

from llmaz.api.kinds import NODE, POD
from llmaz.api.manifest import Manifest
from llmaz.api.quantity import Quantity
from llmaz.kube import Informer, Kube, KubeError
from support.kubelet.objects import Object
from support.kubelet.rest import Pods

_AGAIN_SECONDS = 0.5


@dataclass
class Scheduler:
    """Looks at all pods and all nodes whenever one of them changed."""

    kube: Kube
    pods: Pods
    # Nodes by the uids of pods that were bound to them, whether or not the watch has told it yet.
    bound: dict[str, str] = field(default_factory=dict)

    async def run(self) -> None:
        changed = asyncio.Event()
        pods = Informer(self.kube, POD, changed=changed)
        nodes = Informer(self.kube, NODE, changed=changed)
        watching = [asyncio.create_task(one.run()) for one in (pods, nodes)]
        try:
            while True:
                await changed.wait()
                changed.clear()
                if pods.synced and nodes.synced:
                    seen = (list(one.objects.values()) for one in (pods, nodes))
                    try:
                        await self._round(*cast("tuple[list[Object], list[Object]]", tuple(seen)))
                    except (KubeError, aiohttp.ClientError):  # such as a pod that is gone already
                        await asyncio.sleep(_AGAIN_SECONDS)
                        changed.set()
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    async def _round(self, pods: list[Object], nodes: list[Object]) -> None:
        """Bind one pod, or say why there is no node for it; what it changes brings the next."""
        pods = [self._as_bound(pod) for pod in pods]
        for pod in sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"]):
            spec, meta = pod["spec"], pod["metadata"]
            waits = not spec.get("nodeName") and not spec.get("schedulingGates")
            if not waits or "deletionTimestamp" in meta:
                continue
            problems = {n["metadata"]["name"]: problem(pod, n, pods) for n in nodes}
            fitting = sorted(name for name, words in problems.items() if words is None)
            if fitting:
                status = await self.pods.bind(meta["namespace"], meta["name"], fitting[0])
                if status == HTTPStatus.CREATED:
                    self.bound[meta["uid"]] = fitting[0]
                return
            await self._refuse(pod, problems.values(), len(nodes))

    def _as_bound(self, pod: Object) -> Object:
        node = self.bound.get(pod["metadata"]["uid"])
        return pod if node is None else {**pod, "spec": {**pod["spec"], "nodeName": node}}

    async def _refuse(self, pod: Object, problems: Iterable[str | None], count: int) -> None:
        words = ", ".join(sorted({words for words in problems if words is not None}))
        message = f"0/{count} nodes are available: {words}"
        conditions = pod.get("status", {}).get("conditions") or []
        if any(one.get("message") == message for one in conditions):
            return
        condition: Manifest = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        meta = pod["metadata"]
        await self.kube.patch(
            POD,
            meta["name"],
            {"metadata": {"uid": meta["uid"]}, "status": {"conditions": [condition]}},
            meta["namespace"],
            subresource="status",
        )


def problem(pod: Object, node: Object, pods: list[Object]) -> str | None:
    """Say why a pod does not go to a node; None where it does."""
    spec, own = node.get("spec") or {}, node["metadata"].get("labels") or {}
    if spec.get("unschedulable"):
        return "it is cordoned"
    selector = pod["spec"].get("nodeSelector") or {}
    if any(own.get(key) != value for key, value in selector.items()):
        return "it does not match the node selector"
    tolerated = {one.get("key") for one in pod["spec"].get("tolerations") or ()}
    if any(taint["key"] not in tolerated for taint in spec.get("taints") or ()):
        return "it has a taint"
    if _is_too_near(pod, node, pods):
        return "it has a pod that this one is to be apart from"
    return _shortage(pod, node, pods)


def _is_too_near(pod: Object, node: Object, pods: list[Object]) -> bool:
    """Tell whether a pod on the node is one that this one may not be beside."""
    apart = (pod["spec"].get("affinity") or {}).get("podAntiAffinity") or {}
    terms = apart.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    wanted = [term["labelSelector"]["matchLabels"].items() for term in terms]
    others = [
        one["metadata"].get("labels", {}).items()
        for one in pods
        if one["spec"].get("nodeName") == node["metadata"]["name"]
    ]
    return any(labels <= other for labels in wanted for other in others)


def _shortage(pod: Object, node: Object, pods: list[Object]) -> str | None:
    here = [one for one in pods if one["spec"].get("nodeName") == node["metadata"]["name"]]
    living = [one for one in here if one.get("status", {}).get("phase") not in _OVER]
    for resource, wanted in _asked(pod).items():
        has = _amount((node.get("status", {}).get("allocatable") or {}).get(resource, "0"))
        taken = sum((_asked(one).get(resource, Decimal(0)) for one in living), Decimal(0))
        if taken + wanted > has:
            return f"Insufficient {resource}"
    return None


_OVER = ("Succeeded", "Failed")


def _asked(pod: Object) -> dict[str, Decimal]:
    (container,) = pod["spec"]["containers"]
    resources = container.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: _amount(text) for name, text in asked.items()}


def _amount(text: str) -> Decimal:
    return Quantity(str(text)).value
