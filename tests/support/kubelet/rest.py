"""Requests to an API server that the product makes none of: bindings, evictions, last deletions."""

import ssl
from dataclasses import dataclass

import aiohttp

from llmaz.api.kinds import POD
from llmaz.api.manifest import Manifest
from support.plane import ControlPlane


@dataclass(frozen=True)
class Pods:
    """Pods of one API server, to a scheduler and a kubelet."""

    plane: ControlPlane
    client: aiohttp.ClientSession

    async def bind(self, namespace: str, name: str, node: str) -> int:
        target: Manifest = {"apiVersion": "v1", "kind": "Node", "name": node}
        binding: Manifest = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace},
            "target": target,
        }
        return await self._send("POST", POD.path(name, namespace, "binding"), binding)

    async def evict(self, namespace: str, name: str) -> int:
        eviction: Manifest = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
        }
        return await self._send("POST", POD.path(name, namespace, "eviction"), eviction)

    async def remove(self, namespace: str, name: str, uid: str) -> int:
        """Delete a pod for good: nothing of it runs any more."""
        options: Manifest = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": uid},
        }
        return await self._send("DELETE", POD.path(name, namespace), options)

    async def _send(self, method: str, path: str, body: Manifest) -> int:
        # A connection of its own: one that was idle may be closed just when it is used again.
        headers = {"Authorization": f"Bearer {self.plane.token}", "Connection": "close"}
        trust = ssl.create_default_context(cafile=str(self.plane.authority))
        async with self.client.request(
            method, self.plane.url + path, json=body, headers=headers, ssl=trust
        ) as answer:
            await answer.read()
            return answer.status
