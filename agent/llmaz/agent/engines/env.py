"""An engine's command line and environment, from its assignment and what this node knows. Pure.

`$(NAME)` is expanded as a kubelet does: an unknown name stays as it is, `$$(NAME)` is the text
`$(NAME)`. A variable from a Secret goes into the environment only; a command line that refers to
one is refused, since every user of the machine can read it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from llmaz.agent.engines.errors import EngineError
from llmaz.agent.engines.state import Fault
from llmaz.agent.engines.visible import visible_devices
from llmaz.api import names
from llmaz.api.node import Accelerator, AssignedEngine
from llmaz.api.pod import EnvVar, KeySelector

# What an engine gets from the agent's own environment: where programs and libraries are, nothing
# more.
INHERITED = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "TZ", "USER")
# Engines open a file for each shard, connection and worker. No core file: it would hold all the
# weights.
RLIMITS: Mapping[str, int] = {"nofile": 1 << 20, "core": 0}
PIDS = 32768  # of one engine: far more than any needs, and no fork bomb
_REFERENCE = re.compile(r"\$\$|\$\(([^)]+)\)")


class InvalidEnvironment(EngineError):  # carries a fault, which is what callers want
    """The environment or the command line can't be made; `fault` says why."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(reason=reason, message=message, permanent=reason == "SecretInArguments")


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """What only this node knows."""

    node_name: str = ""
    address: str = "127.0.0.1"
    path: str  # PATH of engines
    inherited: Mapping[str, str] = field(default_factory=dict)
    accelerators: Mapping[str, Accelerator] = field(default_factory=dict)
    hub_url: str = ""  # the node's Hugging Face endpoint; empty: there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """What was found for this start."""

    port: int
    model_path: str = ""
    draft_model_path: str = ""
    programs: str = ""  # of its Python environment, before all others
    compiled: Mapping[str, str] = field(default_factory=dict)  # where it keeps what it compiles
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    config_maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """What to execute; `env` may hold secrets."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    limits: Mapping[str, int] = field(default_factory=dict)  # of its cgroup
    rlimits: Mapping[str, int] = field(default_factory=dict)


def command_line(engine: AssignedEngine, local: Local, leased: Leased) -> CommandLine:
    """Build what the shim is to execute; raise InvalidEnvironment with words for the user."""
    env = _basis(engine, local, leased)
    secret: set[str] = set()
    for variable in engine.env:
        value = _value(engine, variable, local, leased, env)
        if value is None:
            continue
        env[variable.name] = value
        source = variable.value_from
        if (source and source.secret_key_ref) or _referred(variable.value) & secret:
            secret.add(variable.name)
    for text in (*engine.command, *engine.args):
        if named := _referred(text) & secret:
            raise InvalidEnvironment(
                "SecretInArguments",
                f"the command line refers to {', '.join(sorted(named))}, which comes from a Secret;"
                " let the engine read it from its environment",
            )
    argv = tuple(expand(text, env) for text in (*engine.command, *engine.args))
    if not argv:
        raise InvalidEnvironment("BadArguments", "the runtime names no command to execute")
    return CommandLine(argv=argv, env=env, limits=_limits(engine), rlimits=RLIMITS)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Expand `$(NAME)` as a kubelet does."""

    def replaced(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return _REFERENCE.sub(replaced, text)


def _basis(engine: AssignedEngine, local: Local, leased: Leased) -> dict[str, str]:
    path = f"{leased.programs}:{local.path}" if leased.programs else local.path
    env = {**local.inherited, "PATH": path}
    if engine.slot is None:  # a slot's container has no others, and numbers them as it likes
        env |= visible_devices(engine.accelerators, local.accelerators)
    env |= {
        names.MODEL_PATH: leased.model_path,
        names.DRAFT_MODEL_PATH: leased.draft_model_path,
        # All addresses where other nodes must reach it: the probes come over loopback.
        names.HOST: local.address if local.address.startswith("127.") else "0.0.0.0",  # noqa: S104
        names.PORT: str(leased.port),
        names.LWS_LEADER_ADDRESS: local.address,
        names.LWS_GROUP_SIZE: "1",
        names.LWS_WORKER_INDEX: "0",
        "PYTHONUNBUFFERED": "1",  # the log's last lines say why it died
        **leased.compiled,
    }
    if not engine.skip_model_loader:
        env |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    elif local.hub_url:
        # What it fetches itself, the node keeps.
        env |= {"HF_ENDPOINT": local.hub_url, "MODELSCOPE_ENDPOINT": local.hub_url}
    return env


def _limits(engine: AssignedEngine) -> dict[str, int]:
    """Return the limits of its cgroup: processes, bytes of memory, thousandths of a processor."""
    if engine.slot is not None:  # its container has them
        return {}
    given = engine.resources.limits
    limits = {"pids": PIDS}
    if "memory" in given:
        limits["memory"] = int(given["memory"])
    if "cpu" in given:
        limits["cpu"] = int(given["cpu"].value * 1000)
    return limits


def _value(
    engine: AssignedEngine,
    variable: EnvVar,
    local: Local,
    leased: Leased,
    env: Mapping[str, str],
) -> str | None:
    source = variable.value_from
    if source is None:
        return expand(variable.value, env)
    if source.secret_key_ref is not None:
        return _key("Secret", source.secret_key_ref, leased.secrets, variable.name)
    if source.config_map_key_ref is not None:
        return _key("ConfigMap", source.config_map_key_ref, leased.config_maps, variable.name)
    if source.field_ref is not None:
        return _field(engine, source.field_ref.field_path, local, variable.name)
    return ""


def _key(
    kind: str, selector: KeySelector, found: Mapping[str, Mapping[str, str]], variable: str
) -> str | None:
    value = found.get(selector.name, {}).get(selector.key)
    if value is None and not selector.optional:
        raise InvalidEnvironment(
            f"{kind}NotFound",
            f"variable {variable} wants key {selector.key} of {kind} {selector.name},"
            " which does not exist in the namespace",
        )
    return value


def _field(engine: AssignedEngine, path: str, local: Local, variable: str) -> str:
    namespace, _, name = engine.id.partition("/")
    fields = {
        "metadata.namespace": namespace,
        "metadata.name": name,
        "spec.nodeName": local.node_name,
        "status.hostIP": local.address,
        "status.podIP": local.address,
    }
    if path not in fields:
        message = f"variable {variable} wants field {path}; known are {', '.join(sorted(fields))}"
        raise InvalidEnvironment("UnknownField", message)
    return fields[path]


def _referred(text: str) -> set[str]:
    return {match[1] for match in _REFERENCE.finditer(text) if match[1]}
