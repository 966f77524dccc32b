"""`python -m llmaz.agent.engines.building DIRECTORY REQUIREMENT...`: make a Python environment.

A child program of the agent: it takes minutes and dies with the agent. What was left of an earlier
attempt is removed first. Nothing is kept beside the environment unless a cache is configured: a
node installs a package once, and what installers keep counts against no quota. uv is used where the
node or the agent's own environment has it, else pip; both ask the index that either of them is
configured for.
"""

import importlib.util
import os
import shutil
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

from llmaz.agent.children import die_with_parent
from llmaz.agent.engines import indexes

INSTALLER = "LLMAZ_INSTALLER"  # pip: not to use uv where it is there
_OPTIONS = ("--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--")


def main(directory: Path, requirements: list[str]) -> None:
    """Become the installer, whose exit code is this program's."""
    die_with_parent()
    shutil.rmtree(directory, ignore_errors=True)
    uv, runner = _uv(), _pip_runner()
    venv.create(directory, with_pip=uv is None and runner is None, symlinks=True)
    python = str(directory / "bin" / "python")
    # On the disk that was found to have room. /tmp may be small, and uv links what is near.
    scratch = directory / "tmp"
    scratch.mkdir()
    environ = os.environ | {"TMPDIR": str(scratch)}
    if uv is not None:
        own = any(map(os.path.exists, indexes.uv_files(environ)))
        environ |= {} if own else indexes.for_uv(environ, _texts(indexes.pip_files(environ)))
        cache = [] if "UV_CACHE_DIR" in environ else ["--no-cache"]
        command = [uv, "pip", "install", "--python", python, *cache, "--", *requirements]
    else:
        pip = ["-m", "pip"] if runner is None else [str(runner)]
        cache = [] if "PIP_CACHE_DIR" in environ else ["--no-cache-dir"]
        command = [python, *pip, "install", *cache, *_OPTIONS, *requirements]
    os.execve(command[0], command, environ)  # noqa: S606  # none is wanted


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
    main(Path(sys.argv[1]), sys.argv[2:])
