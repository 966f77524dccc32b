"""Bring the shim, and an interpreter for it, into a directory that an engine's container mounts.

An engine's image need not have Python, nor a C library: the interpreter that runs this goes along,
with the few modules that a shim loads, the shared libraries that it has mapped, and the loader,
by which it is started. All of it is a few megabytes. Run in an init container of the agent's image:

    python -m llmaz.shim.bring <directory> <directory of the slot>
"""

import os
import py_compile
import shutil
import sys
import time

import llmaz.shim.slot

LOADER = "ld.so"
LIBRARIES = "lib"
PYTHON = "bin/python3"
PROGRAM = "shim.py"
_SITE = "site"
_PATIENCE_SECONDS = 60.0  # for the node's agent, whose pod may come after this one
_START = f"""\
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), {_SITE!r}))
from llmaz.shim.slot import main
sys.exit(main(sys.argv[1:]))
"""


def bring(directory: str) -> None:
    """Fill a directory; one that is full already, since a pod was begun anew, is filled again."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = os.path.join(directory, LIBRARIES)
    _copy(os.path.realpath(sys.executable), os.path.join(directory, PYTHON))
    for path in _mapped():
        if os.path.basename(path).startswith("ld-"):
            _copy(path, os.path.join(directory, LOADER))
        for name in _names(path):
            _copy(path, os.path.join(library, name))
    standard = os.path.dirname(os.__file__)
    own = os.path.dirname(os.path.dirname(os.path.dirname(llmaz.shim.__file__)))
    for path in _modules():
        if path.startswith(own + os.sep):
            _bring(path, os.path.join(directory, _SITE, os.path.relpath(path, own)))
        elif path.startswith(standard + os.sep):
            _bring(path, os.path.join(library, version, os.path.relpath(path, standard)))
    with open(os.path.join(directory, PROGRAM), "w") as file:
        file.write(_START)


def _mapped() -> list[str]:
    """Return the shared libraries of this process that are not modules of Python's."""
    with open("/proc/self/maps") as file:
        paths = {line.split(None, 5)[5].rstrip("\n") for line in file if line.count(" /") == 1}
    return sorted(
        path for path in paths if ".so" in os.path.basename(path) and "lib-dynload" not in path
    )


def _names(path: str) -> list[str]:
    """Return the names of a library: programs ask for one by less of its version than it has."""
    folder, name = os.path.split(path)
    stem = name.partition(".so")[0] + ".so"
    links = (link for link in os.listdir(folder) if link.startswith(stem) and link != name)
    return [name, *(link for link in links if os.path.realpath(os.path.join(folder, link)) == path)]


def _modules() -> list[str]:
    """Return the files of all modules that are loaded."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return sorted({os.path.abspath(path) for path in files if path and os.path.exists(path)})


def _bring(source: str, target: str) -> None:
    """Copy a module, and compile it: many images have nothing that was compiled.

    Every probe starts an interpreter, which can't write what it compiles to where it reads.
    """
    _copy(source, target)
    if target.endswith(".py"):
        unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(target, doraise=True, invalidation_mode=unchecked)


def _copy(source: str, target: str) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    beside = target + ".new"
    shutil.copy(source, beside)
    os.rename(beside, target)


def own(slot: str, patience: float = _PATIENCE_SECONDS) -> None:
    """Make the slot's directory; on a new node the agent has to hand over the one above first."""
    deadline = time.monotonic() + patience
    while True:
        try:
            os.makedirs(slot, mode=0o700, exist_ok=True)
        except PermissionError:
            if time.monotonic() > deadline:
                whose = f"user {os.geteuid()}, whose it becomes when the node's agent begins"
                sys.exit(f"{os.path.dirname(slot)} can't be written by {whose}")
            time.sleep(0.2)
        else:
            return


def main(argv: list[str]) -> None:
    directory, slot = argv
    bring(directory)
    own(slot)


if __name__ == "__main__":
    main(sys.argv[1:])
