"""Other gateways that PyPI has, each in an environment of its own, in front of the same engine."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.fakes import MODEL


@dataclass(frozen=True)
class Rival:
    """A gateway: what pip installs, and its command line."""

    name: str
    package: str
    argv: Callable[[Path, Path, int, int], list[str]]  # programs, scratch, engine, port
    environ: Mapping[str, str] = field(default_factory=dict)


def _litellm(programs: Path, scratch: Path, engine: int, port: int) -> list[str]:
    upstream = {
        "model": f"text-completion-openai/{MODEL}",
        "api_base": f"http://127.0.0.1:{engine}/v1",
        "api_key": "none",
    }
    config = scratch / "litellm.yaml"  # JSON is YAML
    config.write_text(
        json.dumps({"model_list": [{"model_name": MODEL, "litellm_params": upstream}]})
    )
    options = ["--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    return [str(programs / "litellm"), *options, "--telemetry", "False"]


def _router(programs: Path, _: Path, engine: int, port: int) -> list[str]:
    options = ["--worker-urls", f"http://127.0.0.1:{engine}", "--policy", "round_robin"]
    options += ["--prometheus-port", str(port + 1)]
    return [str(programs / "vllm-router"), "--host", "127.0.0.1", "--port", str(port), *options]


# Our gateway asks for no key here either.
_NO_KEY = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}
RIVALS = (
    Rival("vllm_router", "vllm-router", _router),
    Rival("litellm", "litellm[proxy]", _litellm, _NO_KEY),
)


def installed(rival: Rival, directory: Path) -> Path:
    """Return where a rival's programs are; install it where it is not there yet."""
    home = directory / rival.name
    programs = home / "bin"
    if not (home / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([str(programs / "pip"), "install", "-q", rival.package], check=True)
        (home / "ready").touch()
    return programs
