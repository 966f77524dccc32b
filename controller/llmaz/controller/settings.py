"""What the controller is told at its start: one frozen value, read once, in `__main__`."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from llmaz.api.manifest import ManifestError, decode
from llmaz.api.wire import keys
from llmaz.controller.slots.policy import SlotPolicy

DEFAULT_LISTEN = "127.0.0.1:9401"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the command line and the environment decide."""

    kubeconfig: Path | None
    identity: str  # who holds the Lease; a controller that comes back takes its own at once
    gateway_url: str  # of the OpenAI endpoint, told in the status of Playgrounds; may be empty
    listen_host: str
    listen_port: int
    lifeline: bool
    log_format: Literal["text", "json"]
    slots: SlotPolicy = field(default_factory=SlotPolicy)
    slots_unknown: tuple[str, ...] = ()  # fields of a newer chart, left out of `slots`
    progress_ends: bool = False  # whether Progressing is False once all is done
    node_features: bool = False  # tell Node Feature Discovery the labels, and write no Node
    scaling_record: Path | None = None  # where each look of the autoscaler is written down


def from_argv(argv: Sequence[str], environ: Mapping[str, str], identity: str) -> Settings:
    """Read the command line; a mistake in it ends the process with the usage and exit code 2.

    `identity` is the default: the host's name, which is the pod's on Kubernetes. On one machine the
    port to listen on keeps a second controller of that name away.
    """
    parser = argparse.ArgumentParser(
        prog="llmaz-controller",
        description="Maps Playgrounds to nodes and reports back.",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_cluster_options(parser, environ, identity)
    _add_writing_options(parser)
    _add_process_options(parser)
    given = parser.parse_args(argv)
    host, port = given.listen
    slots, unknown = given.slots
    return Settings(
        kubeconfig=given.kubeconfig,
        identity=given.identity,
        gateway_url=given.gateway_url,
        listen_host=host,
        listen_port=port,
        lifeline=given.lifeline,
        log_format=given.log_format,
        slots=slots,
        slots_unknown=unknown,
        progress_ends=given.progress_ends,
        node_features=given.node_features,
        scaling_record=given.scaling_record,
    )


def _add_cluster_options(
    parser: argparse.ArgumentParser, environ: Mapping[str, str], identity: str
) -> None:
    """Add what says which cluster this is a controller of, and what else there is in it."""
    kubeconfig = environ.get("KUBECONFIG")
    parser.add_argument(
        "--kubeconfig",
        type=Path,
        default=Path(kubeconfig) if kubeconfig else None,
        help="without it, the service account of the pod is used",
    )
    parser.add_argument(
        "--identity", default=identity, help="name of this controller in the leader's Lease"
    )
    parser.add_argument(
        "--gateway-url",
        default="",
        metavar="URL",
        help="where users reach the gateway, for the status of Playgrounds",
    )


def _add_writing_options(parser: argparse.ArgumentParser) -> None:
    """Add what says which objects and records are written, and how."""
    parser.add_argument(
        "--slots",
        type=_slots,
        default="{}",
        metavar="JSON",
        help="how pods of engines are made, such as"
        ' {"launcher": "slot", "image": "llmaz-agent:0.1.0"}',
    )
    parser.add_argument(
        "--progress-ends",
        action="store_true",
        help="set the condition Progressing to False once all is done, which upstream never does",
    )
    parser.add_argument(
        "--node-features",
        action="store_true",
        help="write NodeFeatures for Node Feature Discovery to label Nodes by, and no Node",
    )
    parser.add_argument(
        "--scaling-record",
        type=Path,
        metavar="FILE",
        help="add a line to it for each look of the autoscaler, to decide on again",
    )


def _add_process_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how the process itself is listened to, and ended."""
    parser.add_argument("--listen", default=DEFAULT_LISTEN, type=_endpoint, metavar="HOST:PORT")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    parser.add_argument("--lifeline", action="store_true", help="exit at the end of standard input")


def _slots(text: str) -> tuple[SlotPolicy, tuple[str, ...]]:
    """Read how slots are made, and the names of what this version does not know.

    A newer chart says more than an older image understands, and holds its users to its schema. A
    controller that refused it would serve nobody for as long as that image is pinned.
    """
    try:
        given = json.loads(text)
        unknown = given.keys() - keys(SlotPolicy) if isinstance(given, dict) else frozenset[str]()
        known = {key: given[key] for key in given if key not in unknown} if unknown else given
        return decode(SlotPolicy, known, "slots"), tuple(sorted(unknown))
    except (ManifestError, json.JSONDecodeError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)
