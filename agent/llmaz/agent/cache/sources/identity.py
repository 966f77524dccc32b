"""Credentials of the node's own identity, for stores that a Secret names none for. They expire.

AWS' tools look in this order, and so does this: a service account's token (EKS sets AWS_ROLE_ARN
and AWS_WEB_IDENTITY_TOKEN_FILE), a container's role (EKS Pod Identity and ECS set
AWS_CONTAINER_CREDENTIALS_*), the machine's role (EC2, by its second protocol alone, which asks for
a token first). Google's: metadata of the machine, which GKE answers for each pod's own account.
Nothing is asked where neither a variable nor the machine's maker tells of such a cloud.
"""

import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from llmaz.agent.cache.remote import Refused, Target
from llmaz.agent.cache.sources.answers import check_way, is_loopback
from llmaz.agent.cache.sources.signing import Keys
from llmaz.agent.cache.wire import CutError, NetworkError, Wire, json_of

RENEWED_SECONDS = 1800.0
_BEFORE_END_SECONDS = 240.0  # a machine's role has new keys five minutes before the old ones end
_MAKER = Path("/sys/class/dmi/id/sys_vendor")
_EC2, _POD, _ECS = "http://169.254.169.254", ("169.254.170.23", "fd00:ec2::23"), "169.254.170.2"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lent(Generic[T]):
    """What is good for so many seconds from now on."""

    what: T = field(repr=False)
    seconds: float


@dataclass
class Identity(Generic[T]):
    """Renews what expires, while a long fetch goes on. Threads ask at the same time.

    ask: returns None where the node turns out to have no identity
    """

    ask: Callable[[], Lent[T] | None]
    clock: Callable[[], float] = time.monotonic
    _what: T | None = field(default=None, repr=False)
    _until: float = float("-inf")
    _alone: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def now(self) -> T | None:
        """Return what is good for some minutes at least."""
        with self._alone:
            if self.clock() >= self._until:
                lent = self.ask()
                seconds = RENEWED_SECONDS if lent is None else lent.seconds - _BEFORE_END_SECONDS
                self._what = None if lent is None else lent.what
                self._until = self.clock() + min(RENEWED_SECONDS, seconds)
            return self._what


def maker_of_machine(path: Path = _MAKER) -> str:
    """Return who made the machine, as its firmware says; empty where it says nothing."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def identity_of_aws(
    environ: Mapping[str, str], region: str, listed: tuple[str, ...], maker: str
) -> Identity[Keys] | None:
    """Return the node's identity at AWS; None where nothing tells that it has one."""
    role, token_file = environ.get("AWS_ROLE_ARN"), environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")
    if role and token_file:
        usual = f"https://sts.{region}.amazonaws.com"
        service = (environ.get("AWS_ENDPOINT_URL_STS") or usual).rstrip("/")
        check_way(service, listed, is_secret=True)
        return Identity(lambda: _of_role(service, role, Path(token_file)))
    address = environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
    if relative := environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        address = f"http://{_ECS}{relative}"
    if address:
        _check_container(address)
        return Identity(lambda: _of_container(address, environ))
    service = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "").rstrip("/")
    disabled = environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
    if (service or maker == "Amazon EC2") and not disabled:
        return Identity(lambda: _of_machine(service or _EC2))
    return None


def _of_role(service: str, role: str, token_file: Path) -> Lent[Keys]:
    form = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": role,
        "RoleSessionName": "llmaz",
        "WebIdentityToken": token_file.read_text().strip(),
    }
    with closing(Wire()) as wire:
        answer, body = wire.text(Target(url=f"{service}/", form=form))
    if answer.status != 200:
        words = f"the token service does not give {role} away (HTTP {answer.status})"
        raise Refused("Unauthorized", words, passing=answer.status >= 500)
    try:
        elements = ET.fromstring(body).iter()  # noqa: S314  # expat bounds what entities grow to
        said = {child.tag.rpartition("}")[2]: child.text or "" for child in elements}
        keys = _keys(said["AccessKeyId"], said["SecretAccessKey"], said["SessionToken"])
    except (ET.ParseError, KeyError):
        raise CutError("the token service's answer names no keys") from None
    return Lent(keys, _seconds_until(said.get("Expiration")))


def _check_container(address: str) -> None:
    """Refuse to ask just anybody for keys: a variable may name any address."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme != "https" and host not in (*_POD, _ECS) and not is_loopback(host):
        words = f"AWS_CONTAINER_CREDENTIALS_FULL_URI names {host!r}, which is no such service"
        raise Refused("BadCredentials", words, passing=False)


def _of_container(address: str, environ: Mapping[str, str]) -> Lent[Keys]:
    token = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    if path := environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        token = Path(path).read_text().strip()
    with closing(Wire(near=True)) as wire:
        headers = {"Authorization": token} if token else {}
        answer, body = wire.text(Target(url=address, headers=headers))
    if answer.status != 200:
        words = f"the container's role gives no keys (HTTP {answer.status})"
        raise Refused("Unauthorized", words, passing=answer.status >= 500)
    return _lent(body, "the container's role")


def _of_machine(service: str) -> Lent[Keys] | None:
    """Ask EC2; None where the machine has no role, or its containers are kept from asking."""
    where = f"{service}/latest/meta-data/iam/security-credentials/"
    with closing(Wire(near=True)) as wire:
        target = Target(
            url=f"{service}/latest/api/token",
            headers={"X-aws-ec2-metadata-token-ttl-seconds": "300"},
        )
        try:
            answer, token = wire.text(target, method="PUT")
        except NetworkError:
            return None
        if answer.status != 200:
            return None
        headers = {"X-aws-ec2-metadata-token": token.decode("ascii", "replace").strip()}
        answer, body = wire.text(Target(url=where, headers=headers))
        role = body.decode("ascii", "replace").strip().partition("\n")[0]
        if answer.status != 200 or not role:
            return None
        answer, body = wire.text(Target(url=f"{where}{role}", headers=headers))
    if answer.status != 200:
        words = f"the machine's role gives no keys (HTTP {answer.status})"
        raise Refused("Unauthorized", words, passing=True)
    return _lent(body, "the machine's role")


def _lent(body: bytes, where: str) -> Lent[Keys]:
    said = json_of(body, where)
    try:
        if not isinstance(said, dict):
            raise TypeError
        keys = _keys(said["AccessKeyId"], said["SecretAccessKey"], said["Token"])
    except (KeyError, TypeError):
        raise CutError(f"{where} names no keys") from None
    return Lent(keys, _seconds_until(said.get("Expiration")))


def _keys(key_id: object, secret: object, session_token: object) -> Keys:
    return Keys(key_id=str(key_id), secret=str(secret), session_token=str(session_token))


def _seconds_until(text: object) -> float:
    try:
        end = datetime.fromisoformat(str(text))
    except ValueError:
        return RENEWED_SECONDS + _BEFORE_END_SECONDS
    return (end.replace(tzinfo=end.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
