"""Containers of a pod by a real containerd and runc: namespaces, an image root, seccomp, no rights.

Its image is made by hand: an empty root in which this machine's programs and Python lie read-only.
What else a container needs it must have been given. Only the network is the machine's own, so that
pods have addresses of 127.0.0.0/8.
"""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.kubelet.container import Inside, succeeded
from support.kubelet.objects import Object

_NEEDED = ("containerd", "ctr", "runc")
_SYSTEM = ("/bin", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/usr")
_SOURCES = ("api", "agent", "controller", "gateway", "cli")
_CHECKOUT = Path(__file__).parents[3]
_CONFIG = """\
version = 2
root = "{home}/root"
state = "{home}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{home}/sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{home}/opt"
"""
_NUMBERS = itertools.count(1)


def why_no_containerd() -> str | None:
    """Say why containers can't be run on this machine; None where they can be tried."""
    if os.geteuid() != 0:
        return "containerd is for root alone"
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


@dataclass
class Containerd:
    """A daemon of a test's own."""

    home: Path
    template: dict[str, Any] = field(default_factory=dict)  # what it makes of no options at all

    def command(self, *words: str) -> list[str]:
        return ["ctr", "--address", str(self.home / "sock"), *words]

    def container(self, spec: Object, inside: Inside, log: Path) -> "Contained":
        return Contained(self, spec, inside, log)

    def call(self, *words: str) -> str:
        done = subprocess.run(self.command(*words), check=True, capture_output=True, text=True)
        return done.stdout

    def read_template(self) -> None:
        """Learn what it runs containers by, its own seccomp profile included."""
        root = self.home / "none"
        root.mkdir()
        self.call("container", "create", "--seccomp", "--rootfs", str(root), "template", "true")
        self.template = json.loads(self.call("container", "info", "template"))["Spec"]
        self.call("container", "rm", "template")

    def end_all(self) -> None:
        """End what it still runs: containers outlive their daemon."""
        with contextlib.suppress(subprocess.CalledProcessError):
            for name in self.call("task", "ls", "--quiet").split():
                remove = self.command("task", "rm", "--force", name)
                subprocess.run(remove, capture_output=True, check=False)


class Contained:
    """A container, as a kubelet has the runtime make it from a pod's."""

    def __init__(self, daemon: Containerd, spec: Object, inside: Inside, log: Path) -> None:
        self._daemon = daemon
        self._spec = spec
        self._inside = inside
        self._log = log
        self._name = f"{spec['name']}-{next(_NUMBERS)}"
        self._execs = itertools.count(1)
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        root = self._daemon.home / "roots" / self._name
        (root / "tmp").mkdir(parents=True)
        config = root.with_suffix(".json")
        config.write_text(json.dumps(self._configuration(root)))
        command = self._daemon.command("run", "--rm", "--config", str(config), self._name)
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    async def run(self) -> int:
        """Run it to its end."""
        await self.start()
        return await self.wait()

    async def wait(self) -> int:
        assert self.process is not None
        return await self.process.wait()

    async def ask(self, command: list[str], seconds: float) -> bool:
        """Run a command in it; tell whether it succeeded in time."""
        argv = [self._inside.referred(text) for text in command]
        name = f"asked-{next(self._execs)}"
        asked = await asyncio.create_subprocess_exec(
            *self._daemon.command("task", "exec", "--exec-id", name, self._name, *argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return await succeeded(asked, seconds)

    def signal(self, number: signal.Signals) -> None:
        """Signal the first process of the container."""
        kill = self._daemon.command("task", "kill", "--signal", number.name, self._name)
        subprocess.run(kill, capture_output=True, check=False)  # one that has ended hears nothing

    def _configuration(self, root: Path) -> dict[str, Any]:
        """Return the runtime's configuration: the daemon's own, with what the pod says."""
        config: dict[str, Any] = json.loads(json.dumps(self._daemon.template))
        security = self._inside.security
        texts = [*self._spec.get("command", ()), *self._spec.get("args", ())]
        dropped = security.get("capabilities", {}).get("drop") == ["ALL"]
        config["process"] |= {
            "args": [self._inside.referred(text) for text in texts],
            "env": [
                "PATH=/usr/bin:/bin",
                *(f"{name}={value}" for name, value in self._inside.env.items()),
            ],
            "cwd": "/",
            "user": {"uid": security.get("runAsUser", 0), "gid": security.get("runAsGroup", 0)},
            "noNewPrivileges": security.get("allowPrivilegeEscalation") is False,
        }
        if dropped:
            config["process"]["capabilities"] = {}
        config["root"] = {
            "path": str(root),
            "readonly": security.get("readOnlyRootFilesystem", False),
        }
        given = [_bound(m.source, m.path, writable=not m.read_only) for m in self._inside.mounts]
        targets = {mount.path for mount in self._inside.mounts} | {"/run"}
        own = [mount for mount in config["mounts"] if mount["destination"] not in targets]
        # The outer ones first, as a runtime does: a checkout may lie below the pod's own /tmp.
        config["mounts"] = [*own, *sorted([*_image(), *given], key=_depth)]
        spaces = config["linux"]["namespaces"]
        config["linux"]["namespaces"] = [one for one in spaces if one["type"] != "network"]
        return config


def _depth(mount: Object) -> int:
    return len(Path(f"{mount['destination']}").parts)


@asynccontextmanager
async def containerd() -> AsyncIterator[Containerd]:
    """Start a daemon, and leave nothing of it."""
    with tempfile.TemporaryDirectory(prefix="llmaz-", ignore_cleanup_errors=True) as directory:
        home = Path(directory)  # short, since sockets have names of 107 bytes at most
        (home / "config.toml").write_text(_CONFIG.format(home=home))
        with (home / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                "containerd", "--config", str(home / "config.toml"), stdout=log, stderr=log
            )
        daemon = Containerd(home)
        try:
            async with asyncio.timeout(120.0):
                ask = daemon.command("version")
                while subprocess.run(ask, capture_output=True, check=False).returncode:
                    assert process.returncode is None, (home / "log").read_text()
                    await asyncio.sleep(0.05)
            daemon.read_template()
            await _try(daemon)
            yield daemon
        finally:
            daemon.end_all()
            process.terminate()
            await process.wait()


async def _try(daemon: Containerd) -> None:
    """Skip the test where this machine lets nobody run a container."""
    log = daemon.home / "first.log"
    first = daemon.container({"name": "first", "command": ["true"]}, Inside({}, ()), log)
    if await first.run() != 0:
        pytest.skip(f"no container can be run here: {log.read_text()[-300:]}")


def _image() -> Iterator[Object]:
    """Yield what is in an image: programs, and this Python with all that it can import."""
    for path in _SYSTEM:
        if Path(path).is_dir():
            yield _bound(Path(path).resolve(), path, writable=False)
    python = {Path(sys.base_prefix), Path(sys.prefix), *(_CHECKOUT / name for name in _SOURCES)}
    for directory in sorted(python):
        if not directory.is_relative_to("/usr"):
            yield _bound(directory, str(directory), writable=False)


def _bound(source: Path, path: str, *, writable: bool) -> Object:
    options = ["rbind", "rprivate", "rw" if writable else "ro"]
    return {"type": "bind", "source": str(source), "destination": path, "options": options}
