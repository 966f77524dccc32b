"""The stand-in for a kubelet: runs the pods that are bound to its node, and reports on them."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from llmaz.api.kinds import POD
from llmaz.api.manifest import Manifest
from llmaz.kube import Informer, Kube, KubeError, Unavailable
from support.kubelet.container import Container, Inside, Make, Process
from support.kubelet.objects import Object
from support.kubelet.rest import Pods
from support.kubelet.volumes import mounts_of, prepared
from support.loopback import own_address

PROBE_SECONDS = 1.0
_AGAIN_SECONDS = 0.5


@dataclass
class Kubelet:
    """One node's. `devices` are what its device plugins have, by resource.

    Containers are made by `make`: processes of this machine, or those of a real runtime. Its
    `directory` is what pods find at `host_path` of the node.
    """

    kube: Kube
    pods: Pods
    node: str
    directory: Path
    devices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    host_path: str = ""
    make: Make = Process
    running: "dict[str, PodRun]" = field(default_factory=dict)
    before_signal: Callable[[str], Awaitable[None]] | None = None  # is told a pod's address

    async def run(self) -> None:
        """Bring the node's pods to life, and to their ends."""
        changed = asyncio.Event()
        bound = f"spec.nodeName={self.node}"
        informer = Informer(self.kube, POD, changed=changed, field_selector=bound)
        watching = asyncio.create_task(informer.run())
        try:
            while True:
                await changed.wait()
                changed.clear()
                pods = cast("list[Object]", list(informer.objects.values()))
                seen = {_meta(pod)["uid"]: pod for pod in pods}
                for uid, pod in seen.items():
                    self._look(uid, pod)
                for uid in [uid for uid in self.running if uid not in seen]:
                    self.running.pop(uid).kill()
        finally:
            watching.cancel()
            for run in self.running.values():
                run.kill()
            tasks = [run.task for run in self.running.values() if run.task is not None]
            await asyncio.gather(watching, *tasks, return_exceptions=True)

    def _look(self, uid: str, pod: Object) -> None:
        if uid not in self.running:
            if pod.get("status", {}).get("phase") in ("Failed", "Succeeded"):
                return
            self.running[uid] = run = PodRun(self, pod, self.directory / "pods" / uid)
            run.task = asyncio.create_task(run.live())
        if "deletionTimestamp" in pod["metadata"]:
            self.running[uid].ending.set()

    def on_host(self, path: str) -> Path:
        """Return where a path of the node is on this machine."""
        if self.host_path and path.startswith(f"{self.host_path}/"):
            return self.directory / path.removeprefix(f"{self.host_path}/")
        return Path(path)

    def allocate(self, limits: Mapping[str, str]) -> dict[str, str] | None:
        """Return the variables that show a container its devices; None where there are too few."""
        env = {}
        for resource, free in self.devices.items():
            wanted = int(limits.get(resource, "0"))
            taken = {one for run in self.running.values() for one in run.devices.get(resource, ())}
            left = [one for one in free if one not in taken]
            if wanted > len(left):
                return None
            if wanted:
                env["NVIDIA_VISIBLE_DEVICES"] = ",".join(left[:wanted])
        return env


class PodRun:
    """One pod from its start to its end."""

    def __init__(self, kubelet: Kubelet, pod: Object, directory: Path) -> None:
        self._kubelet = kubelet
        self._pod = pod
        self._directory = directory
        self.ip = own_address()
        self.ending = asyncio.Event()
        self.devices: dict[str, list[str]] = {}
        self.task: asyncio.Task[None] | None = None
        self.main: Container | None = None
        self.restarts = 0

    async def live(self) -> None:
        """Run the init containers, then the container, again and again until the pod ends."""
        spec = self._pod["spec"]
        (container,) = spec["containers"]
        given = self._kubelet.allocate(container.get("resources", {}).get("limits", {}))
        if given is None:
            await self._fail("UnexpectedAdmissionError", "requested devices are not available")
            return
        for resource in self._kubelet.devices:
            self.devices[resource] = given.get("NVIDIA_VISIBLE_DEVICES", "").split(",")
        self._directory.mkdir(parents=True, exist_ok=True)
        volumes = prepared(spec, self._directory, self._kubelet.on_host)
        make = self._kubelet.make
        for init in spec.get("initContainers", ()):
            while await make(init, self._inside(init, volumes, {}), self.log(init)).run() != 0:
                await asyncio.sleep(_AGAIN_SECONDS)
        ended = asyncio.create_task(self._until_ended(container))
        while not self.ending.is_set():
            inside = self._inside(container, volumes, given)
            self.main = make(container, inside, self.log(container))
            await self.main.start()
            await self._serve(container)
            self.restarts += 1
            if not self.ending.is_set():
                await asyncio.sleep(_AGAIN_SECONDS)
        await ended

    def log(self, container: Object) -> Path:
        return self._directory / f"{container['name']}.log"

    def kill_container(self) -> None:
        """End the container at once; it is started again."""
        assert self.main is not None
        self.main.signal(signal.SIGKILL)

    def kill(self) -> None:
        """End the pod as a node does that loses its power."""
        if self.main is not None:
            with contextlib.suppress(ProcessLookupError):
                self.main.signal(signal.SIGKILL)
        if self.task is not None:
            self.task.cancel()

    async def _serve(self, container: Object) -> None:
        """Report on the container while it lives."""
        assert self.main is not None
        gone = asyncio.create_task(self.main.wait())
        probe = container["readinessProbe"]["exec"]["command"]
        told: object = None
        while not gone.done():
            ready = await self.main.ask(probe, 60.0) and not self.ending.is_set()
            state = (ready, self.restarts)
            if state != told:
                told = state
                await self._report("Running", ready=ready)
            await asyncio.wait([gone], timeout=PROBE_SECONDS)
        await self._report("Running", ready=False)

    async def _until_ended(self, container: Object) -> None:
        """End the container when the pod is deleted: the hook, the signal, and the end of grace."""
        await self.ending.wait()
        grace = self._pod["spec"]["terminationGracePeriodSeconds"]
        deadline = asyncio.get_running_loop().time() + grace
        if self.main is not None:
            await self.main.ask(container["lifecycle"]["preStop"]["exec"]["command"], grace)
            if self._kubelet.before_signal is not None:
                await self._kubelet.before_signal(self.ip)
            self.main.signal(signal.SIGTERM)
            left = max(2.0, deadline - asyncio.get_running_loop().time())
            try:
                async with asyncio.timeout(left):
                    await self.main.wait()
            except TimeoutError:
                self.main.signal(signal.SIGKILL)
                await self.main.wait()
        meta = _meta(self._pod)
        await self._kubelet.pods.remove(meta["namespace"], meta["name"], meta["uid"])

    def _inside(
        self, container: Object, volumes: Mapping[str, Path], given: Mapping[str, str]
    ) -> Inside:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        env = {"PATH": path, **given, **dict(self._variables(container))}
        security = {**self._pod["spec"]["securityContext"], **container["securityContext"]}
        return Inside(env, mounts_of(container, volumes, env), security)

    def _variables(self, container: Object) -> Iterator[tuple[str, str]]:
        fields = {"metadata.uid": _meta(self._pod)["uid"], "status.podIP": self.ip}
        for variable in container.get("env", ()):
            source = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            yield variable["name"], fields[source] if source else variable.get("value", "")

    async def _fail(self, reason: str, message: str) -> None:
        await self._write({"phase": "Failed", "reason": reason, "message": message})

    async def _report(self, phase: str, *, ready: bool) -> None:
        condition: Manifest = {
            "type": "Ready",
            "status": "True" if ready else "False",
            "lastTransitionTime": _now(),
        }
        container: Manifest = {"name": "model-runner", "ready": ready, "image": "", "imageID": ""}
        container["restartCount"] = self.restarts
        await self._write(
            {
                "phase": phase,
                "podIP": self.ip,
                "podIPs": [{"ip": self.ip}],
                "startTime": _now(),
                "conditions": [condition, _scheduled()],
                "containerStatuses": [container],
            }
        )

    async def _write(self, status: Manifest) -> None:
        meta = _meta(self._pod)
        patch: Manifest = {"metadata": {"uid": meta["uid"]}, "status": status}
        while True:
            try:
                await self._kubelet.kube.patch(
                    POD, meta["name"], patch, meta["namespace"], subresource="status"
                )
            except Unavailable:
                await asyncio.sleep(_AGAIN_SECONDS)
            except KubeError:
                return  # it is gone
            else:
                return


def _scheduled() -> Manifest:
    return {"type": "PodScheduled", "status": "True", "lastTransitionTime": _now()}


def _meta(pod: Object) -> Object:
    return cast("Object", pod["metadata"])


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
