"""Who asks Google's store: a service account's key, a person's login, or the machine itself.

Each is exchanged for a token that lasts an hour. A key signs what it asks for (RFC 7523), so that
it never leaves the node itself.
"""

import base64
import json
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from llmaz.agent.cache.remote import Refused, Target
from llmaz.agent.cache.sources.answers import check_way
from llmaz.agent.cache.sources.identity import Identity, Lent
from llmaz.agent.cache.wire import Answer, CutError, NetworkError, Wire, json_of

CREDENTIALS = "GOOGLE_CREDENTIALS"
FILE = "GOOGLE_APPLICATION_CREDENTIALS"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
_TOKENS = "https://oauth2.googleapis.com/token"  # an address
_METADATA = "metadata.google.internal"
_MINE = "/computeMetadata/v1/instance/service-accounts/default/token"
_VALID_SECONDS = 3600
_MAKERS = ("Google",)


def identity_of_google(
    given: Mapping[str, str], environ: Mapping[str, str], listed: tuple[str, ...], maker: str
) -> Identity[str] | None:
    """Return who asks: who a Secret names, or the environment, or the machine; None: nobody."""
    text = given.get(CREDENTIALS) or environ.get(CREDENTIALS)
    if text is None and (path := environ.get(FILE)):
        text = _read(Path(path))
    if text:
        return _of_credentials(text, listed)
    host = environ.get("GCE_METADATA_HOST")
    if host or maker in _MAKERS:
        return Identity(lambda: _of_machine(host or _METADATA))
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        words = f"{FILE} names a file that can't be read: {error.strerror}"
        raise Refused("BadCredentials", words, passing=False) from None


def _of_credentials(text: str, listed: tuple[str, ...]) -> Identity[str]:
    said = _object(text)
    service = str(said.get("token_uri") or _TOKENS)
    check_way(service, listed, is_secret=True)
    match said.get("type"):
        case "service_account":
            return Identity(lambda: _asked(service, _assertion(said, service)))
        case "authorized_user":
            form = {
                name: str(said.get(name, ""))
                for name in ("client_id", "client_secret", "refresh_token")
            }
            return Identity(lambda: _asked(service, {**form, "grant_type": "refresh_token"}))
        case other:
            words = (
                f"Google's credentials are of the type {other!r}; service_account and "
                "authorized_user are read"
            )
            raise Refused("BadCredentials", words, passing=False)


def _object(text: str) -> Mapping[str, object]:
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise Refused("BadCredentials", "Google's credentials are no JSON object", passing=False)
    return said


def _assertion(said: Mapping[str, object], service: str) -> Mapping[str, str]:
    # Imported here: nobody else needs the library, which takes 20 MiB.
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415

    now = int(time.time())
    claims = {
        "iss": said.get("client_email"),
        "scope": _SCOPE,
        "aud": service,
        "iat": now,
        "exp": now + _VALID_SECONDS,
    }
    head = {"alg": "RS256", "typ": "JWT", "kid": said.get("private_key_id")}
    unsigned = b".".join(_base64(json.dumps(part).encode()) for part in (head, claims))
    try:
        pem = str(said.get("private_key")).encode()
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Refused("BadCredentials", "the service account's key is no RSA key", passing=False)
    signature = key.sign(unsigned, padding.PKCS1v15(), hashes.SHA256())
    return {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": (unsigned + b"." + _base64(signature)).decode(),
    }


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _asked(service: str, form: Mapping[str, str]) -> Lent[str]:
    with closing(Wire()) as wire:
        answer, body = wire.text(Target(url=service, form=form))
    if answer.status != 200:
        words = f"Google gives no token for these credentials (HTTP {answer.status})"
        raise Refused("Unauthorized", words, passing=answer.status >= 500)
    return _lent(answer, body)


def _of_machine(host: str) -> Lent[str] | None:
    """Ask for the token of the machine's account; None where it has none."""
    target = Target(
        url=f"http://{host}{_MINE}?scopes={_SCOPE}", headers={"Metadata-Flavor": "Google"}
    )
    with closing(Wire(near=True)) as wire:
        try:
            answer, body = wire.text(target)
        except NetworkError:
            return None
    if answer.status != 200 or answer.headers.get("Metadata-Flavor") != "Google":
        return None
    return _lent(answer, body)


def _lent(answer: Answer, body: bytes) -> Lent[str]:
    said = json_of(body, "Google's token service")
    token = said.get("access_token") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(token, str) or not token.isprintable():
        raise CutError(f"{answer.url.partition('?')[0]} names no token")
    seconds = said.get("expires_in")
    return Lent(token, float(seconds) if isinstance(seconds, int | float) else 0.0)
