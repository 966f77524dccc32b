"""The controller as a process, and what a test does to the cluster that it acts on."""

import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import aiohttp

from llmaz.api.kinds import OPEN_MODEL, PLAYGROUND, SERVICE
from llmaz.api.manifest import Manifest
from llmaz.kube import Kube, NotFound
from support.cluster import Agent, eventually

PATIENCE_SECONDS = 120.0  # for its end, on a machine under load
_METRICS = re.compile(r"metrics at (http://\S+)")
_ROUNDS = re.compile(r"^llmaz_controller_plan_seconds_count (\S+)$", re.MULTILINE)


@dataclass
class ControllerProcess:
    """The controller as a process that a test may kill and start again."""

    kubeconfig: Path
    log: Path
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def start(self, identity: str = "tests", *options: str) -> None:
        command = [sys.executable, "-m", "llmaz.controller", "--listen", "127.0.0.1:0"]
        command += ["--kubeconfig", str(self.kubeconfig), "--identity", identity, "--lifeline"]
        command += options
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log)

    def resident_mib(self) -> float:
        """Return the memory that the process holds."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (kibibytes,) = (line.split()[1] for line in status.splitlines() if "VmRSS" in line)
        return int(kibibytes) / 1024

    async def rounds(self) -> int:
        """Return how often it has decided since its start."""
        *_, url = _METRICS.findall(self.log.read_text())
        async with aiohttp.ClientSession() as client, client.get(url) as answer:
            (count,) = _ROUNDS.findall(await answer.text())
        return int(float(count))

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self._reap()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self._reap()

    def _reap(self) -> int:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()
        code = self.process.wait(PATIENCE_SECONDS)
        self.process = None
        return code


@dataclass
class Cluster:
    """What a test does to the cluster: in a namespace and with cluster-wide names of its own."""

    kube: Kube
    namespace: str
    agents: list[Agent] = field(default_factory=list)
    models: list[str] = field(default_factory=list)

    async def agent(self, *, gpus: int = 0, product: str = "NVIDIA A10") -> Agent:
        """A node of its own, which only flavors that select it by its name get."""
        agent = Agent(self.kube, f"node-{uuid.uuid4().hex[:8]}")
        await agent.register(gpus=gpus, product=product)
        self.agents.append(agent)
        return agent

    async def model(self, name: str, *nodes: Agent, gpus: int = 1) -> str:
        """A model whose flavors select these nodes, in this order; returns its name."""
        name = f"{name}-{self.namespace}"
        flavors = [
            {
                "name": f"flavor-{index}",
                "limits": {"nvidia.com/gpu": gpus} if gpus else {},
                "nodeSelector": {"kubernetes.io/hostname": node.node},
            }
            for index, node in enumerate(nodes)
        ]
        spec: Any = {
            "familyName": "family",
            "source": {"modelHub": {"modelID": "org/model"}},
            "inferenceConfig": {"flavors": flavors},
        }
        await self.kube.apply(
            OPEN_MODEL, {"metadata": {"name": name}, "spec": spec}, manager="tests"
        )
        self.models.append(name)
        return name

    async def playground(self, name: str, model: str, replicas: int = 1, **config: object) -> None:
        spec: dict[str, Any] = {"replicas": replicas, "modelClaim": {"modelName": model}}
        if config:
            spec["backendRuntimeConfig"] = config
        await self.apply(name, spec)

    async def apply(self, name: str, spec: dict[str, Any]) -> None:
        metadata: Manifest = {"name": name, "namespace": self.namespace}
        await self.kube.apply(PLAYGROUND, {"metadata": metadata, "spec": spec}, manager="tests")

    async def get(self, name: str) -> Manifest:
        return await self.kube.get(PLAYGROUND, name, self.namespace)

    async def service(self, name: str) -> Manifest:
        return await self.kube.get(SERVICE, name, self.namespace)

    async def until(self, name: str, holds: Callable[[Any], bool]) -> Manifest:
        """Wait until a Playground, whose status may not have been written yet, is as it should."""

        async def look() -> Manifest:
            return {"status": {}} | await self.get(name)

        return await eventually(look, holds)

    async def rounds_go_by(self, controller: ControllerProcess) -> None:
        """Wait until the controller has looked at all this, and done what follows from it.

        It decides when something changes: here what it reads and nothing follows from. The first
        round may have been under way, and what the second does is done when the third decides.
        """
        for number in range(3):
            before = await controller.rounds()
            change: Manifest = {"metadata": {"annotations": {"tests": f"{before}.{number}"}}}
            await self.kube.patch(OPEN_MODEL, self.models[0], change)
            await eventually(controller.rounds, lambda count, known=before: count > known)  # type: ignore[misc]  # defaults bind the loop's values

    async def clean(self) -> None:
        for kind in (PLAYGROUND, SERVICE):
            for item in (await self.kube.list(kind, self.namespace)).items:
                with suppress(NotFound):  # the collector may have been here first
                    await self.kube.delete(kind, _name(item), self.namespace)
        for name in self.models:
            await self.kube.delete(OPEN_MODEL, name)
        for agent in self.agents:
            await agent.leave()


def _name(manifest: Manifest) -> str:
    return str(cast("Manifest", manifest["metadata"])["name"])
