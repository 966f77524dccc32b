"""What the kernel says of a running engine: its limits, its privileges, and what it was told."""

from pathlib import Path

from llmaz.agent.engines.env import INHERITED
from llmaz.api.node import EnginePhase
from llmaz.api.pod import EnvVar, EnvVarSource, KeySelector
from support.engines import Node, assigned, engines

SECRET = "hush-hush"
OF_THE_AGENT = {"HF_TOKEN": SECRET, "AWS_SECRET_ACCESS_KEY": SECRET, "KUBECONFIG": "/k"}
OWN = (*INHERITED, "PATH", "PYTHONUNBUFFERED", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
PREFIXES = ("LLMAZ_", "LWS_", "CUDA_")


def read(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_bytes().decode()


def variables(pid: int) -> dict[str, str]:
    pairs = (line.partition("=") for line in read(pid, "environ").split("\0") if line)
    return {name: value for name, _, value in pairs}


def line_of(text: str, name: str) -> list[str]:
    return next(line for line in text.splitlines() if line.startswith(name)).split()


def token(name: str) -> EnvVar:
    source = EnvVarSource(secret_key_ref=KeySelector(name="hub", key="token"))
    return EnvVar(name=name, value_from=source)


async def test_an_engine_has_no_secret_that_it_does_not_need_and_limits_that_hold(
    state_dir: Path,
) -> None:
    environ = {"PATH": "/usr/bin:/bin", "HOME": "/root", **OF_THE_AGENT}
    values = {"default/hub": {"token": SECRET}}
    async with engines(state_dir, environ=environ, values=values) as under:
        node = Node(under)
        node.assigned = (assigned("plain-0"), assigned("gated-0", env=(token("TOKEN"),)))
        await node.until_phase(EnginePhase.READY, "default/plain-0", "default/gated-0")
        plain, gated = (node.reports[f"default/{name}"].pid for name in ("plain-0", "gated-0"))
        assert plain is not None
        assert gated is not None

        told = variables(plain)
        assert SECRET not in "".join(told.values())
        assert {n for n in told if n not in OWN and not n.startswith(PREFIXES)} <= {"LC_CTYPE"}
        assert variables(gated)["TOKEN"] == SECRET
        for pid in (plain, gated):
            shim = int(line_of(read(pid, "status"), "PPid:")[1])
            assert SECRET not in read(pid, "cmdline") + read(shim, "cmdline")
            assert SECRET not in read(shim, "environ")
            assert line_of(read(pid, "status"), "NoNewPrivs:")[1] == "1"
            assert line_of(read(pid, "limits"), "Max core file size")[4:6] == ["0", "0"]
            soft, hard = line_of(read(pid, "limits"), "Max open files")[3:5]
            assert soft == hard
        node.assigned = ()
        await node.until_gone()
