"""The programs of `up`: their command lines, ports and health. Pure."""

import sys
from dataclasses import dataclass
from pathlib import Path

from llmaz.local.home import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a program listens, and the option of `up` that changes it."""

    host: str
    port: int
    flag: str

    @property
    def listen(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def reached_at(self) -> str:
        """The address for somebody on this machine."""
        return f"127.0.0.1:{self.port}" if self.host == "0.0.0.0" else self.listen  # noqa: S104


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the programs listen."""

    api: Address
    gateway: Address
    agent: Address
    controller: Address
    sharing: Address

    @property
    def all(self) -> tuple[Address, ...]:
        return (self.api, self.gateway, self.agent, self.controller, self.sharing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program to keep running."""

    name: str
    argv: tuple[str, ...]
    readiness: str  # URL that answers 200 when the program is ready


def api_server(home: Home, address: Address) -> Program:
    """The embedded API server. It speaks HTTPS only: kubectl sends no token over plain HTTP."""
    return Program(
        name="apiserver",
        argv=_python(
            "llmaz.local.apiserver", "--data-dir", home.server, "--listen", address.listen
        ),
        readiness=f"https://{address.reached_at}/readyz",
    )


def other_programs(
    home: Home, addresses: Addresses, node: str, api_keys: Path | None = None
) -> tuple[Program, ...]:
    """The programs that work on the API server's objects."""
    kubeconfig = ("--kubeconfig", home.kubeconfig)
    gateway = ("--gateway-url", f"http://{addresses.gateway.reached_at}/v1")
    register = ("--register-node", "--node-name", node, "--address", "127.0.0.1")
    sharing = ("--sharing-listen", addresses.sharing.listen)
    keys = ("--api-keys", api_keys) if api_keys else ()
    directories = ("--state-dir", home.agent, "--cache-dir", home.cache)
    return (
        _client("controller", addresses.controller, *kubeconfig, *gateway),
        _client("agent", addresses.agent, *kubeconfig, *register, *sharing, *directories),
        _client("gateway", addresses.gateway, *kubeconfig, *keys),
    )


def stop_engines(home: Home) -> tuple[str, ...]:
    """The command that stops every engine of this machine, in good order."""
    return (sys.executable, "-m", "llmaz.agent", "stop-engines", "--state-dir", str(home.agent))


def _client(name: str, address: Address, *options: object) -> Program:
    return Program(
        name=name,
        argv=_python(f"llmaz.{name}", "--listen", address.listen, *options),
        readiness=f"http://{address.reached_at}/readyz",
    )


def _python(module: str, *options: object) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *map(str, options), "--lifeline")
