"""What the sharing process is told at its start, read from argv once, in `__main__`."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from llmaz.agent.sharing.tls import TlsFiles

DEFAULT_UPLOADS = 16
DEFAULT_UPLOADS_PER_PEER = 4

# What the node's endpoint of the hubs fetches for its clients; off: there is no endpoint.
MirrorFetch: TypeAlias = Literal["any", "assigned", "none", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingSettings:
    """Serve the cache of one node."""

    node_name: str
    listen_host: str
    listen_port: int
    cache_dir: Path
    token_file: Path | None  # None: nothing is served to peers
    tls: TlsFiles | None
    uploads: int = DEFAULT_UPLOADS
    uploads_per_peer: int = DEFAULT_UPLOADS_PER_PEER
    log_format: Literal["text", "json"] = "text"
    mirror_fetch: MirrorFetch = "assigned"
    state_dir: Path | None = None  # of the agent, which notes there what the node shall hold
    cache_quota: int | None = None
    jit_shared: bool = False  # whether other nodes are given what engines compiled here
    plain_http: tuple[str, ...] = ()  # where a client's token may be sent without TLS


def from_argv(argv: Sequence[str]) -> SharingSettings:
    """Read the command line; a mistake in it ends the process with the usage and exit code 2."""
    parser = argparse.ArgumentParser(
        prog="llmaz-sharing", description="Serves the cache of one node.", allow_abbrev=False
    )
    parser.add_argument("--node-name", required=True)
    parser.add_argument("--listen-host", required=True)
    parser.add_argument("--listen-port", required=True, type=int)
    parser.add_argument("--cache-dir", required=True, type=Path)
    parser.add_argument("--peer-token-file", type=Path)
    parser.add_argument("--tls-certificate")
    parser.add_argument("--tls-key")
    parser.add_argument("--tls-authority")
    parser.add_argument("--uploads", type=int, default=DEFAULT_UPLOADS)
    parser.add_argument("--uploads-per-peer", type=int, default=DEFAULT_UPLOADS_PER_PEER)
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    parser.add_argument("--mirror-fetch", choices=get_args(MirrorFetch), default="assigned")
    parser.add_argument("--state-dir", type=Path)
    parser.add_argument("--cache-quota", type=int)
    parser.add_argument("--jit-shared", choices=("yes", "no"), default="no")
    parser.add_argument("--plain-http", action="append", default=[])
    given = parser.parse_args(argv)
    return SharingSettings(
        node_name=given.node_name,
        listen_host=given.listen_host,
        listen_port=given.listen_port,
        cache_dir=given.cache_dir,
        token_file=given.peer_token_file,
        tls=_tls(given),
        uploads=given.uploads,
        uploads_per_peer=given.uploads_per_peer,
        log_format=given.log_format,
        mirror_fetch=given.mirror_fetch,
        state_dir=given.state_dir,
        cache_quota=given.cache_quota,
        jit_shared=given.jit_shared == "yes",
        plain_http=tuple(given.plain_http),
    )


def to_argv(settings: SharingSettings) -> list[str]:
    """Return the command line that says the same."""
    options: list[tuple[str, object]] = [
        ("--node-name", settings.node_name),
        ("--listen-host", settings.listen_host),
        ("--listen-port", settings.listen_port),
        ("--cache-dir", settings.cache_dir),
        ("--uploads", settings.uploads),
        ("--uploads-per-peer", settings.uploads_per_peer),
        ("--log-format", settings.log_format),
        ("--mirror-fetch", settings.mirror_fetch),
        ("--jit-shared", "yes" if settings.jit_shared else "no"),
    ]
    options += [("--plain-http", place) for place in settings.plain_http]
    if settings.state_dir is not None:
        options.append(("--state-dir", settings.state_dir))
    if settings.cache_quota is not None:
        options.append(("--cache-quota", settings.cache_quota))
    if settings.token_file is not None:
        options.append(("--peer-token-file", settings.token_file))
    if settings.tls is not None:
        options.append(("--tls-certificate", settings.tls.certificate))
        options.append(("--tls-key", settings.tls.key))
        options.append(("--tls-authority", settings.tls.authority))
    return [f"{option}={value}" for option, value in options]


def hub_url(settings: SharingSettings, port: int) -> str:
    """Return what HF_ENDPOINT is for an engine of the node; empty where it would not work.

    An endpoint that fetches nothing lacks what engines want, and with TLS it shows a certificate
    that only nodes believe.
    """
    if settings.mirror_fetch in ("none", "off") or settings.tls is not None:
        return ""
    host = settings.listen_host
    if host in ("0.0.0.0", "::"):  # noqa: S104  # compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _tls(given: argparse.Namespace) -> TlsFiles | None:
    if given.tls_certificate is None:
        return None
    return TlsFiles(
        certificate=given.tls_certificate, key=given.tls_key, authority=given.tls_authority
    )
