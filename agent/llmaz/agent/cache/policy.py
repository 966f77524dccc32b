"""What a node's operator allows of fetches. Values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Priority: TypeAlias = Literal["demand", "prefetch"]
XetMode: TypeAlias = Literal["never", "auto", "always"]
EVERY_SOURCE = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPolicy:
    """Rates are bytes a second, by the kind of source, or `all` for the node."""

    rates: Mapping[str, int] = field(default_factory=dict)
    refuse_pickle: bool = False
    gated_authorization: bool = False
    xet: XetMode = "auto"  # when files of Hugging Face come out of its store of chunks
    plain_http: tuple[str, ...] = ()  # hosts that are sent tokens without TLS
