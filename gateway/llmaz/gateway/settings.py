"""The gateway's settings, read once from the command line."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmaz.daemon.logs import LogFormat
from llmaz.gateway.holding import HoldLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Where to listen, which cluster to read, how much to take."""

    host: str
    port: int
    kubeconfig: Path | None  # None: the pod's own account
    log_format: LogFormat
    lifeline: bool
    max_body_bytes: int
    # Images and sound travel inside JSON, and a body is held until its model is known.
    hold: HoldLimits
    keepalive_seconds: float
    upload_seconds: float
    idle_seconds: float
    api_keys: Path | None = None  # a file of keys; without, everybody may ask


def from_argv(argv: Sequence[str], environ: Mapping[str, str]) -> GatewaySettings:
    """Read the command line; leave the process with a usage line when it is wrong."""
    parser = _parser()
    found = parser.parse_args(argv)
    host, separator, port = found.listen.rpartition(":")
    if not separator or not port.isdecimal():
        parser.error(f"argument --listen: must be HOST:PORT, not {found.listen!r}")
    named = environ.get("KUBECONFIG")
    return GatewaySettings(
        host=host.strip("[]"),
        port=int(port),
        kubeconfig=found.kubeconfig or (Path(named) if named else None),
        log_format=found.log_format,
        lifeline=found.lifeline,
        max_body_bytes=found.max_body_mib * 2**20,
        hold=HoldLimits(
            requests=found.hold_requests,
            total_bytes=found.hold_mib * 2**20,
            seconds=found.hold_seconds,
        ),
        keepalive_seconds=found.keepalive_seconds,
        upload_seconds=found.upload_seconds,
        idle_seconds=found.idle_seconds,
        api_keys=found.api_keys,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="llmaz-gateway", description="One OpenAI endpoint in front of all Playgrounds."
    )
    add = parser.add_argument
    add("--listen", default="0.0.0.0:8000", metavar="HOST:PORT", help="(%(default)s)")
    add("--kubeconfig", type=Path, help="($KUBECONFIG, then the pod's own account)")
    add("--log-format", choices=("text", "json"), default="text", help="(%(default)s)")
    add("--lifeline", action="store_true", help="stop when standard input ends")
    add("--max-body-mib", type=int, default=64, metavar="N", help="largest request (%(default)s)")
    add("--api-keys", type=Path, metavar="FILE", help="keys that clients must show, one a line")
    slow = parser.add_argument_group("clients that are slow").add_argument
    slow("--upload-seconds", type=float, default=300.0, metavar="S", help="a body (%(default)s)")
    slow(
        "--idle-seconds",
        type=float,
        default=620.0,  # longer than load balancers keep connections
        metavar="S",
        help="a connection without a whole head of a request (%(default)s)",
    )
    hold = parser.add_argument_group("requests that wait for a model at zero replicas").add_argument
    hold("--hold-requests", type=int, default=1000, metavar="N", help="a model (%(default)s)")
    hold("--hold-mib", type=int, default=256, metavar="N", help="bodies in all (%(default)s)")
    hold("--hold-seconds", type=float, default=900.0, metavar="S", help="each (%(default)s)")
    hold(
        "--keepalive-seconds",
        type=float,
        default=15.0,
        metavar="S",
        help="between comments in a stream that waits; 0 for none (%(default)s)",
    )
    return parser
