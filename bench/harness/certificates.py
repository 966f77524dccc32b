"""A certificate for nodes under measurement, which is its own authority. Needs `openssl`."""

import subprocess
from pathlib import Path

from llmaz.agent.sharing.tls import TlsFiles


def made(folder: Path) -> TlsFiles:
    """Make one, with its key, in a folder."""
    key, shown = str(folder / "nodes.key"), str(folder / "nodes.crt")
    argv = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=nodes"]
    argv += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    argv += ["-addext", "basicConstraints=critical,CA:TRUE", "-keyout", key, "-out", shown]
    subprocess.run(argv, check=True, stderr=subprocess.DEVNULL)
    return read(folder)


def read(folder: Path) -> TlsFiles:
    """Return what was made in a folder."""
    key, shown = str(folder / "nodes.key"), str(folder / "nodes.crt")
    return TlsFiles(certificate=shown, key=key, authority=shown)
