"""What the agent is told at its start: one frozen value, read from argv once, in `__main__`."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from llmaz.agent.addresses import is_at, is_loopback
from llmaz.agent.cache.limits import Limits
from llmaz.agent.cache.options import (
    WarmCopies,
    add_cache_options,
    limits_of,
    policy_of,
    warm_of,
)
from llmaz.agent.cache.policy import FetchPolicy
from llmaz.agent.engines.liveness import Patience
from llmaz.agent.options import byte_count, count, endpoint, seconds
from llmaz.agent.sharing.settings import DEFAULT_UPLOADS, DEFAULT_UPLOADS_PER_PEER, MirrorFetch
from llmaz.agent.sharing.tls import TlsFiles

DEFAULT_ROOT = "/var/lib/llmaz"  # a DaemonSet mounts the node's directory of this name
DEFAULT_LISTEN = "127.0.0.1:9400"
DEFAULT_SHARING_LISTEN = "127.0.0.1:9401"
STOP_GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the machine says of itself, as defaults for what the command line leaves out."""

    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAgent:
    """Run the agent of one node."""

    node_name: str
    address: str  # an IP that others reach: engines are offered at it
    listen_host: str
    listen_port: int
    sharing_host: str
    sharing_port: int
    peer_token_file: Path | None  # None: nothing is shared with other nodes
    peer_tls: TlsFiles | None
    peer_uploads: int  # chunks that are sent to peers at a time
    peer_uploads_each: int  # of these, to one peer
    mirror_fetch: MirrorFetch
    state_dir: Path
    cache_dir: Path
    cache_limits: Limits
    fetch_policy: FetchPolicy
    jit_cache: int | None  # bytes of what engines compile; None: it is not kept
    jit_peers: bool  # whether that is shared with other nodes
    scrub_rate: int | None  # bytes a second; None: what is stored is not read again
    warm_copies: WarmCopies | None  # None: no model is copied into memory
    read_ahead: int | None  # bytes a second; None: weights are not read ahead of an engine
    default_secret_namespace: str | None
    environments_quota: int | None  # bytes of engines' Python environments; None: as the disk has
    kubeconfig: Path | None
    register_node: bool
    stop_engines_within: float | None  # seconds; None: the engines live on
    hang_seconds: float  # without a sign of life, until an engine is ended
    toil_seconds: float  # that an engine on processors alone may compute without one
    devices_socket: Path | None  # tells which devices pods were given; None: their shims alone do
    lifeline: bool
    log_format: Literal["text", "json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopEngines:
    """Stop every engine of a state directory, and exit."""

    state_dir: Path
    grace_seconds: float
    log_format: Literal["text", "json"]


AgentSettings: TypeAlias = RunAgent | StopEngines


def from_argv(argv: Sequence[str], environ: Mapping[str, str], host: Host) -> AgentSettings:
    """Read the command line; a mistake in it ends the process with the usage and exit code 2."""
    if argv and argv[0] == "stop-engines":
        return _stop_engines(argv[1:], environ)
    parser = _parser(environ, prog="llmaz-agent", description="Runs the engines of one node.")
    _add_node_options(parser, environ, host)
    _add_sharing_options(parser)
    _add_mirror_option(parser)
    parser.add_argument("--cache-dir", type=Path, default=_root(environ) / "cache")
    add_cache_options(parser)
    _add_engine_options(parser)
    parser.add_argument("--lifeline", action="store_true", help="exit at the end of standard input")
    given = parser.parse_args(argv)
    _require_what_belongs_together(parser, given, environ)
    return _run_agent(parser, given)


def _add_node_options(
    parser: argparse.ArgumentParser, environ: Mapping[str, str], host: Host
) -> None:
    parser.add_argument("--node-name", default=environ.get("NODE_NAME") or host.name.lower())
    parser.add_argument("--address", default=host.address, help="IP at which others reach the node")
    parser.add_argument("--listen", default=DEFAULT_LISTEN, type=endpoint, metavar="HOST:PORT")
    parser.add_argument("--kubeconfig", type=Path, default=_path(environ.get("KUBECONFIG")))
    parser.add_argument(
        "--register-node", action="store_true", help="create the Node object: no kubelet does"
    )


def _add_sharing_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sharing-listen",
        default=DEFAULT_SHARING_LISTEN,
        type=endpoint,
        metavar="HOST:PORT",
        help="where the weights of this node are served to others",
    )
    parser.add_argument(
        "--peer-token-file",
        type=Path,
        help="a secret that all nodes share; without one, weights are not shared between nodes",
    )
    for name, words in (
        ("certificate", "this node's certificate, for TLS between nodes"),
        ("key", "the key of that certificate"),
        ("authority", "the authority that signed the certificates of all nodes"),
    ):
        parser.add_argument(f"--peer-tls-{name}", type=Path, help=words)
    parser.add_argument(
        "--peer-uploads",
        type=count,
        default=DEFAULT_UPLOADS,
        metavar="COUNT",
        help="how many chunks are sent to other nodes at a time (default: %(default)d)",
    )
    parser.add_argument(
        "--peer-uploads-each",
        type=count,
        default=DEFAULT_UPLOADS_PER_PEER,
        metavar="COUNT",
        help="how many of these to one node (default: %(default)d); more is told that it is busy",
    )


def _add_mirror_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mirror-fetch",
        choices=get_args(MirrorFetch),
        help="what the Hugging Face endpoint at the sharing address fetches for its clients."
        " assigned: for those on other machines, the models of this node alone; none: it serves"
        " what is in the cache; off: there is no such endpoint. Without the option: any where only"
        " this machine reaches the address, else assigned",
    )


def _add_engine_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--environments-quota",
        type=byte_count,
        metavar="BYTES",
        help="what engines' Python environments may take, such as 60Gi: of those that no engine"
        " uses, the one used least recently goes first",
    )
    parser.add_argument(
        "--stop-engines-within",
        type=seconds,
        metavar="SECONDS",
        help="stop the engines, drained, when the agent is asked to end: in a container, which"
        " they can't outlive",
    )
    parser.add_argument(
        "--hang-seconds",
        type=seconds,
        default=Patience().hang_seconds,
        metavar="SECONDS",
        help="how long an engine may show no sign of life until it is ended, unless a token that it"
        " is asked for still comes (default: %(default).0f)",
    )
    parser.add_argument(
        "--toil-seconds",
        type=seconds,
        default=Patience().toil_seconds,
        metavar="SECONDS",
        help="how long an engine without accelerators may compute one batch, in which no token of"
        " it moves but a processor works (default: %(default).0f)",
    )
    parser.add_argument(
        "--devices-socket",
        type=Path,
        metavar="PATH",
        help="where llmaz.agent.slots.kubelet tells which devices the kubelet gave to pods",
    )


def _require_what_belongs_together(
    parser: argparse.ArgumentParser, given: argparse.Namespace, environ: Mapping[str, str]
) -> None:
    """End the process where options contradict each other, or the environment."""
    if given.jit_cache_peers and (given.jit_cache is None or given.peer_token_file is None):
        parser.error("--jit-cache-peers needs --jit-cache and --peer-token-file")
    sharing_host, sharing_port = given.sharing_listen
    for name in ("HF_ENDPOINT", "MODELSCOPE_ENDPOINT"):
        hub, own = environ.get(name, ""), {given.address, sharing_host}
        if given.mirror_fetch != "off" and is_at(hub, own, sharing_port):
            parser.error(f"{name}={hub} is this agent's own endpoint: it would ask itself")


def _run_agent(parser: argparse.ArgumentParser, given: argparse.Namespace) -> RunAgent:
    listen_host, listen_port = given.listen
    sharing_host, sharing_port = given.sharing_listen
    return RunAgent(
        node_name=given.node_name,
        address=given.address,
        listen_host=listen_host,
        listen_port=listen_port,
        sharing_host=sharing_host,
        sharing_port=sharing_port,
        peer_token_file=given.peer_token_file,
        peer_tls=_tls(parser, given),
        peer_uploads=given.peer_uploads,
        peer_uploads_each=given.peer_uploads_each,
        mirror_fetch=given.mirror_fetch or ("any" if is_loopback(sharing_host) else "assigned"),
        state_dir=given.state_dir.absolute(),
        cache_dir=given.cache_dir.absolute(),
        cache_limits=limits_of(given),
        environments_quota=given.environments_quota,
        fetch_policy=policy_of(given),
        jit_cache=given.jit_cache,
        jit_peers=given.jit_cache_peers,
        scrub_rate=given.scrub_rate,
        warm_copies=warm_of(parser, given),
        read_ahead=given.read_ahead,
        default_secret_namespace=given.default_secret_namespace,
        kubeconfig=given.kubeconfig,
        register_node=given.register_node,
        stop_engines_within=given.stop_engines_within,
        hang_seconds=given.hang_seconds,
        toil_seconds=given.toil_seconds,
        devices_socket=given.devices_socket,
        lifeline=given.lifeline,
        log_format=given.log_format,
    )


def _tls(parser: argparse.ArgumentParser, given: argparse.Namespace) -> TlsFiles | None:
    files = (given.peer_tls_certificate, given.peer_tls_key, given.peer_tls_authority)
    if not any(files):
        return None
    if not all(files):
        parser.error("--peer-tls-certificate, --peer-tls-key and --peer-tls-authority go together")
    return TlsFiles(certificate=str(files[0]), key=str(files[1]), authority=str(files[2]))


def _stop_engines(argv: Sequence[str], environ: Mapping[str, str]) -> StopEngines:
    parser = _parser(
        environ,
        prog="llmaz-agent stop-engines",
        description="Stops every engine of this node, drained. No agent may be running.",
    )
    parser.add_argument("--grace", type=seconds, default=STOP_GRACE_SECONDS, metavar="SECONDS")
    given = parser.parse_args(argv)
    return StopEngines(
        state_dir=given.state_dir.absolute(),
        grace_seconds=given.grace,
        log_format=given.log_format,
    )


def _parser(environ: Mapping[str, str], *, prog: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--state-dir", type=Path, default=_root(environ) / "agent")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    return parser


def _root(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("LLMAZ_HOME") or DEFAULT_ROOT)


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
