"""`python -m llmaz.agent.engines.building DIRECTORY REQUIREMENT...`: make a Python environment.

A child program of the agent: it takes minutes and dies with the agent. What was left of an earlier
attempt is removed first. uv is used where the node has it, else pip; both read their configuration
from their own files and variables.
"""

import importlib.util
import os
import shutil
import sys
import venv
from pathlib import Path

from llmaz.agent.children import die_with_parent

_OPTIONS = ("--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--")


def main(directory: Path, requirements: list[str]) -> None:
    """Become the installer, whose exit code is this program's."""
    die_with_parent()
    shutil.rmtree(directory, ignore_errors=True)
    uv, runner = shutil.which("uv"), _pip_runner()
    venv.create(directory, with_pip=uv is None and runner is None, symlinks=True)
    python = str(directory / "bin" / "python")
    if uv is not None:
        command = [uv, "pip", "install", "--python", python, "--", *requirements]
    else:
        pip = ["-m", "pip"] if runner is None else [str(runner)]
        command = [python, *pip, "install", *_OPTIONS, *requirements]
    os.execv(command[0], command)  # noqa: S606  # none is wanted


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
