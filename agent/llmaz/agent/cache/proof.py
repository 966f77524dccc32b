"""Names credentials without telling them: who fetched a tree may read it again."""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_KEY_BYTES = 32


def proof_of(cache_dir: Path, credentials: Mapping[str, str]) -> str:
    """Return a digest of credentials that is of use on this node alone."""
    text = json.dumps(dict(credentials), sort_keys=True).encode()
    return hmac.new(_key(cache_dir / "acl.key"), text, hashlib.sha256).hexdigest()


def _key(path: Path) -> bytes:
    """Read the node's key; the first process that needs it makes it."""
    with suppress(FileNotFoundError):
        return path.read_bytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".acl.key.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
        file.flush()
        os.fsync(descriptor)
    with suppress(FileExistsError):
        path.hardlink_to(beside)
    beside.unlink()
    return path.read_bytes()
