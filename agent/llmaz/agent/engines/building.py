"""`python -m llmaz.agent.engines.building DIRECTORY REQUIREMENT...`: make a Python environment.

A child program of the agent. Installers start compilers and those start others, so it stands by as
the parent of all of them: when its standard input ends, which the agent holds open, it kills them
before it ends. What was left of an earlier attempt is removed first.

Nothing is kept beside the environment unless a cache is configured: a node installs a package once,
and what installers keep counts against no quota. uv is used where the node or the agent's own
environment has it, else pip; both ask the index that either of them is configured for.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Iterator
from pathlib import Path

from llmaz.agent.children import die_with_parent
from llmaz.agent.engines import indexes
from llmaz.shim import proc

INSTALLER = "LLMAZ_INSTALLER"  # pip: not to use uv where it is there
_OPTIONS = ("--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--")


def main(directory: Path, requirements: list[str]) -> int:
    """Return the installer's exit code."""
    proc.become_subreaper()
    threading.Thread(target=_end_with_the_agent, daemon=True).start()
    shutil.rmtree(directory, ignore_errors=True)
    # On the disk that was found to have room. /tmp may be small, and uv links what is near.
    scratch = directory / "tmp"
    command, environ = _installer(directory, scratch, requirements)
    try:
        code = _run(command, environ)
    finally:
        _kill_descendants()
        shutil.rmtree(scratch, ignore_errors=True)
    return code


def _installer(
    directory: Path, scratch: Path, requirements: list[str]
) -> tuple[list[str], dict[str, str]]:
    """Make an empty environment; return the command that fills it, and its variables."""
    uv, runner = _uv(), _pip_runner()
    venv.create(directory, with_pip=uv is None and runner is None, symlinks=True)
    python = str(directory / "bin" / "python")
    scratch.mkdir()
    environ = os.environ | {"TMPDIR": str(scratch)}
    if uv is not None:
        own = any(map(os.path.exists, indexes.uv_files(environ)))
        environ |= {} if own else indexes.for_uv(environ, _texts(indexes.pip_files(environ)))
        cache = [] if "UV_CACHE_DIR" in environ else ["--no-cache"]
        return [uv, "pip", "install", "--python", python, *cache, "--", *requirements], environ
    pip = ["-m", "pip"] if runner is None else [str(runner)]
    cache = [] if "PIP_CACHE_DIR" in environ else ["--no-cache-dir"]
    return [python, *pip, "install", *cache, *_OPTIONS, *requirements], environ


def _run(command: list[str], environ: dict[str, str]) -> int:
    # Should this process be killed itself, at least the installer must not write on where the next
    # attempt writes. The only other thread waits in a system call, so that nothing holds a lock.
    with subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        preexec_fn=die_with_parent,  # noqa: PLW1509  # see above
    ) as installer:
        return installer.wait()


def _end_with_the_agent() -> None:
    while os.read(0, 1024):
        pass
    _kill_descendants()
    os._exit(1)


def _kill_descendants() -> None:
    """Kill all that was started here; as orphans come to this process, none gets away."""
    while left := proc.descendants(os.getpid()):
        for process in left:
            proc.send(process, signal.SIGKILL)
        time.sleep(0.01)  # dying takes a moment


def _uv() -> str | None:
    if os.environ.get(INSTALLER) == "pip":
        return None
    own = str(Path(sys.executable).parent)
    return shutil.which("uv", path=f"{own}:{os.environ.get('PATH', os.defpath)}")


def _texts(files: tuple[str, ...]) -> Iterator[str]:
    for file in files:
        try:
            yield Path(file).read_text(errors="replace")
        except OSError:  # there is none, or not for this user
            continue


def _pip_runner() -> Path | None:
    """Return the script that runs this interpreter's pip for another one.

    It spares each environment a pip of its own, which takes longer than most installations.
    """
    pip = importlib.util.find_spec("pip")
    if pip is None or pip.origin is None:
        return None
    script = Path(pip.origin).with_name("__pip-runner__.py")
    return script if script.exists() else None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
