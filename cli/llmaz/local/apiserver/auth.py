"""Who asks, and whether they may: one bearer token for everything, and health for anybody."""

import hmac
import os
import secrets
from pathlib import Path

from llmaz.local.apiserver.routes import Route
from llmaz.local.apiserver.status import StatusError, qualified
from llmaz.local.objects.values import Object

ADMIN = "llmaz-admin"
GROUPS = ("system:masters", "system:authenticated")
ANONYMOUS = "system:anonymous"
_PUBLIC = ("/healthz", "/livez", "/readyz", "/version")


def authenticate(header: str | None, token: str) -> str:
    """Return the user of an Authorization header; a wrong token is refused, none is anonymous."""
    scheme, _, given = (header or "").partition(" ")
    if scheme.lower() != "bearer":
        return ANONYMOUS
    sent = given.strip().encode(errors="replace")
    if hmac.compare_digest(sent, token.encode()):
        return ADMIN
    raise StatusError(401, "Unauthorized", "Unauthorized")


def authorize(user: str, method: str, path: str, route: Route | None) -> None:
    """Refuse an anonymous request for anything but health and version."""
    if user == ADMIN or path.rstrip("/") in _PUBLIC:
        return
    if route is None:
        message = f'forbidden: User "{user}" cannot {method.lower()} path "{path}"'
        raise StatusError(403, "Forbidden", message, details={})
    raise StatusError(403, "Forbidden", _refusal(user, route), details=_details(route))


def _details(route: Route) -> Object:
    details = {"name": route.name, "group": route.group, "kind": route.plural}
    return {key: value for key, value in details.items() if value}


def _refusal(user: str, route: Route) -> str:
    subject = qualified(route.plural, route.group)
    subject = f'{subject} "{route.name}"' if route.name else subject
    plural = f"{route.plural}/{route.subresource}" if route.subresource else route.plural
    where = f'in the namespace "{route.namespace}"' if route.namespace else "at the cluster scope"
    return (
        f'{subject} is forbidden: User "{user}" cannot {route.verb} resource "{plural}" '
        f'in API group "{route.group}" {where}'
    )


def token_of(directory: Path) -> str:
    """Return the token of a data directory; the first start draws it."""
    path = directory / "token"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        token = secrets.token_urlsafe(32)
        write_secret(path, token.encode())
        return token


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read, whole or not at all."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
