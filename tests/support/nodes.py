"""The agent of a node as a real process, and its InferenceNode as the API server shows it."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from llmaz.api.kinds import CUSTOM_RESOURCE_DEFINITION, INFERENCE_NODE
from llmaz.api.manifest import Manifest, decode, encode
from llmaz.api.names import CONTROLLER
from llmaz.api.node import AssignedEngine, AssignedModel, EngineReport, InferenceNode, NodeStatus
from llmaz.api.source import ModelSource
from llmaz.kube import Kube, KubeError
from support.freeport import free_port

PATIENCE_SECONDS = 120.0  # of a test that waits for a condition, on a machine under load
FAKE_ENGINE = Path(__file__).with_name("engine.py")
_CRD = Path(__file__).parents[2] / "charts/llmaz/crds/inferencenodes.llmaz.io.yaml"


@dataclass
class Node:
    """One node: the directory of its agent, and its object on the API server."""

    name: str
    directory: Path
    kubeconfig: Path
    kube: Kube
    environ: Mapping[str, str] = field(default_factory=dict)
    agent: asyncio.subprocess.Process | None = None
    patience_seconds: float = PATIENCE_SECONDS
    sharing_port: int = field(default_factory=free_port)  # the same in each life of the agent

    async def start(self, *options: str) -> None:
        """Start the agent and wait until it has looked at the node; without an API server too."""
        self.agent = await self.spawn(*options)
        await self._said("agent of node")

    async def spawn(self, *options: str) -> asyncio.subprocess.Process:
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "llmaz.agent", "--node-name", self.name),
                *("--state-dir", str(self.directory / "agent")),
                *("--cache-dir", str(self.directory / "cache")),
                *("--kubeconfig", str(self.kubeconfig)),
                *("--address", "127.0.0.1", "--listen", "127.0.0.1:0"),
                *("--sharing-listen", f"0.0.0.0:{self.sharing_port}", *options),
                env={**os.environ, **self.environ},
                stderr=log,
            )

    @property
    def log(self) -> Path:
        return self.directory / "agent.log"

    async def end(self, number: signal.Signals) -> int:
        """Signal the agent, and return its exit code."""
        assert self.agent is not None
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself: its code says how
            self.agent.send_signal(number)
        async with asyncio.timeout(PATIENCE_SECONDS):
            code = await self.agent.wait()
        self.agent = None
        self.log.write_text("")
        return code

    async def stop_engines(self) -> None:
        """Stop every engine of the node, as `llmaz down` does."""
        stopper = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "llmaz.agent", "stop-engines", "--grace", "1"),
            *("--state-dir", str(self.directory / "agent")),
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await stopper.communicate()
        assert stopper.returncode == 0, said.decode()

    async def assign(
        self, *engines: AssignedEngine, models: tuple[AssignedModel, ...] = ()
    ) -> None:
        """Write the spec as the controller does."""
        manifest: Manifest = {
            "metadata": {"name": self.name},
            "spec": {"engines": encode(engines), "models": encode(models)},
        }
        await self.kube.apply(INFERENCE_NODE, manifest, manager=CONTROLLER)

    async def shown(self) -> InferenceNode:
        return decode(InferenceNode, await self.kube.get(INFERENCE_NODE, self.name))

    async def until(
        self,
        condition: Callable[[NodeStatus], object],
        what: str,
        *,
        patience: float | None = None,
    ) -> NodeStatus:
        """Return the status once the condition holds."""
        status: NodeStatus | None = None
        try:
            async with asyncio.timeout(self.patience_seconds if patience is None else patience):
                while True:
                    try:
                        status = (await self.shown()).status
                    except KubeError:
                        status = None
                    if status is not None and condition(status):
                        return status
                    await asyncio.sleep(0.05)
        except TimeoutError:
            log = self.log.read_text()
            raise AssertionError(f"{what}: it is {status}; the agent's log:\n{log}") from None

    async def engine(self, phase: str, engine_id: str = "default/fake-0") -> EngineReport:
        """Return an engine's report once it is in a phase."""

        def found(status: NodeStatus) -> EngineReport | None:
            reports = (report for report in status.engines or () if report.id == engine_id)
            return next((report for report in reports if report.phase == phase), None)

        report = found(await self.until(found, f"engine {engine_id} is not {phase}"))
        assert report is not None
        return report

    async def _said(self, words: str) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while words not in self.log.read_text():
                assert self.agent is not None
                assert self.agent.returncode is None, self.log.read_text()
                await asyncio.sleep(0.02)


def fake_engine(*switches: str, engine_id: str = "default/fake-0") -> AssignedEngine:
    """Return an engine that runs support/engine.py under the name of its model."""
    return AssignedEngine(
        id=engine_id,
        service="fake",
        model="fake",
        main_model="fake",
        command=(sys.executable, str(FAKE_ENGINE)),
        args=("--port", "$(LLMAZ_PORT)", "--model", "fake", *switches),
        termination_grace_period_seconds=5,
    )


def on_path(path: Path, name: str = "fake") -> AssignedModel:
    """Return a model whose weights lie on the node."""
    return AssignedModel(name=name, source=ModelSource(uri=f"host://{path}"))


@asynccontextmanager
async def node(
    kubeconfig: Path, directory: Path, name: str, environ: Mapping[str, str] | None = None
) -> AsyncIterator[Node]:
    """A node without a running agent; what a test leaves running is ended."""
    async with await Kube.connect(kubeconfig) as kube:
        made = Node(name, directory, kubeconfig, kube, environ or {})
        made.log.touch()
        try:
            yield made
        finally:
            if made.agent is not None:
                await made.end(signal.SIGKILL)
            await made.stop_engines()


async def serve_inference_nodes(kubeconfig: Path) -> None:
    """Have the API server know InferenceNodes."""
    async with await Kube.connect(kubeconfig) as kube:
        crd = yaml.safe_load(_CRD.read_text())
        await kube.apply(CUSTOM_RESOURCE_DEFINITION, crd, manager="tests")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    await kube.list(INFERENCE_NODE)
                except KubeError:
                    await asyncio.sleep(0.05)
                else:
                    return
