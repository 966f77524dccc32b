"""Who may read a repository's tree: what a small file beside it says. Pure.

Possession of a digest is no right to the bytes. What was read without any credentials is public;
all else is asked for again with the credentials of whoever wants it.
"""

import json
from dataclasses import dataclass
from enum import StrEnum

from llmaz.api.manifest import decode, encode


class Visibility(StrEnum):
    """What is known of a repository."""

    PUBLIC = "public"  # it was read without credentials
    GATED = "gated"  # it was refused without credentials
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acl:
    """One repository's record. `proven`: HMACs of credentials that opened it; never those."""

    visibility: Visibility = Visibility.UNKNOWN
    proven: tuple[str, ...] = ()


def write_acl_text(acl: Acl) -> str:
    return json.dumps(encode(acl))


def read_acl_text(text: str) -> Acl:
    """Return the record; one that makes no sense gives no right."""
    try:
        return decode(Acl, json.loads(text))
    except ValueError:  # a ManifestError is a ValueError
        return Acl()
