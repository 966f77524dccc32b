"""Keeps a repository's record of who may read it, in a file beside its tree."""

from pathlib import Path

from llmaz.agent.cache.acl import Acl, read_acl_text, write_acl_text
from llmaz.agent.files import write_atomically

_NAME = "acl.json"


def write_acl(tree_root: Path, acl: Acl) -> None:
    write_atomically(tree_root / _NAME, write_acl_text(acl))


def read_acl(tree_root: Path) -> Acl:
    """Return the record; one that is missing gives no right."""
    try:
        return read_acl_text((tree_root / _NAME).read_text())
    except (OSError, UnicodeDecodeError):
        return Acl()
