"""What can be known to be wrong before a model is loaded, said in one sentence each."""

import os
import socket
from pathlib import Path

_MAGIC = b"GGUF"
_SYSTEM = Path("/sys")


class StartError(Exception):
    """Why the server cannot be started: a sentence for people, an exit code for programs."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def check_model(path: Path) -> None:
    """Raise StartError unless `path` is a readable file that begins as a GGUF file does."""
    if path.is_dir():
        found = sorted(entry.name for entry in path.glob("*.gguf"))
        hint = f"name one file in it: {', '.join(found)}" if found else "it holds no .gguf file"
        raise StartError(f"model {path} is a directory; {hint}", os.EX_NOINPUT)
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except OSError as error:
        raise StartError(f"cannot read model {path}: {error.strerror}", os.EX_NOINPUT) from None
    if start != _MAGIC:
        raise StartError(
            f"model {path} is not a GGUF file: it begins with {start!r}, not {_MAGIC!r}",
            os.EX_DATAERR,
        )


def check_address(host: str, port: int) -> None:
    """Raise StartError when `host:port` cannot be listened on.

    Asked before the model is loaded, which may take minutes.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StartError(f"cannot listen on {host}:{port}: {reason}", os.EX_TEMPFAIL) from None


def spare_threads(system: Path = _SYSTEM) -> int:
    """Return the physical cores that this process may use, less one, but at least one.

    llama.cpp's threads spin while they wait for each other: a thread that has to share its core
    with anything else stalls all of them, which costs far more than the one core that is left free
    here.
    """
    mine = os.sched_getaffinity(0)
    cores = {_siblings(system, cpu) for cpu in mine}
    allowed = min(len(cores), _quota(system) or len(cores))
    return max(1, allowed - 1)


def _siblings(system: Path, cpu: int) -> str:
    path = system / f"devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
    try:
        return path.read_text().strip()
    except OSError:
        return str(cpu)


def _quota(system: Path) -> int | None:
    """Return the whole cores that the control group grants, or None where it sets no bound."""
    try:
        quota, period = (system / "fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else max(1, int(quota) // int(period))
