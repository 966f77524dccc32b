"""Addresses that carry a signature, as object stores read them. Pure.

The stores' own clients are not used: they take 60 MiB, and botocore asks for an older
python-dateutil than the Kubernetes client does, so that both can't be installed.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlencode

VALID_SECONDS = 3600
_NO_HEADERS: Mapping[str, str] = {}
_ALGORITHM = "AWS4-HMAC-SHA256"
_OSS_ALGORITHM = "OSS4-HMAC-SHA256"
_OSS_HOST = re.compile(
    r"oss-(?!accelerate)([a-z]+-[a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com(?::\d+)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Credentials of an object store."""

    key_id: str
    secret: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address without its query."""

    scheme: str
    host: str
    path: str  # not yet quoted

    def url(self, query: str) -> str:
        return f"{self.scheme}://{self.host}{quote(self.path, safe='/-_.~')}?{query}"


def signed_v4(
    address: Address,
    query: dict[str, str],
    *,
    keys: Keys,
    region: str,
    now: datetime,
    method: str = "GET",
    headers: Mapping[str, str] = _NO_HEADERS,
    valid_seconds: int = VALID_SECONDS,
) -> str:
    """Sign as S3 wants it (version 4, in the query).

    headers: those that will be sent whose names begin with x-amz-, in lower case: S3 refuses a
    request that has one which was not signed
    """
    sent = sorted({"host": address.host, **headers}.items())
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    given = {
        **query,
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{keys.key_id}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(valid_seconds),
        "X-Amz-SignedHeaders": ";".join(name for name, _ in sent),
    }
    if keys.session_token is not None:
        given["X-Amz-Security-Token"] = keys.session_token
    canonical = urlencode(sorted(given.items()), quote_via=quote, safe="-_.~")
    path = quote(address.path, safe="/-_.~")
    told = "".join(f"{name}:{value}\n" for name, value in sent)
    names = given["X-Amz-SignedHeaders"]
    request = f"{method}\n{path}\n{canonical}\n{told}\n{names}\nUNSIGNED-PAYLOAD"
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}"
    signature = _chained(f"AWS4{keys.secret}", scope, text)
    return address.url(f"{canonical}&X-Amz-Signature={signature}")


def signed_oss(
    address: Address,
    query: dict[str, str],
    *,
    keys: Keys,
    resource: str,
    now: datetime,
    method: str = "GET",
) -> str:
    """Sign as OSS wants it of hosts that tell no region (version 1), for an hour.

    resource: /bucket/key
    """
    expires = str(int(now.timestamp()) + VALID_SECONDS)
    given = {**query, "OSSAccessKeyId": keys.key_id, "Expires": expires}
    if keys.session_token is not None:
        given["security-token"] = keys.session_token
        resource += f"?security-token={keys.session_token}"
    text = f"{method}\n\n\n{expires}\n{resource}"
    digest = hmac.digest(keys.secret.encode(), text.encode(), "sha1")
    given["Signature"] = base64.b64encode(digest).decode()
    return address.url(urlencode(given, quote_via=quote, safe=""))


def signed_oss_v4(
    address: Address,
    query: dict[str, str],
    *,
    keys: Keys,
    resource: str,
    region: str,
    now: datetime,
    method: str = "GET",
) -> str:
    """Sign as OSS wants it of new accounts (version 4, in the query), for an hour."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/oss/aliyun_v4_request"
    given = {
        **query,
        "x-oss-signature-version": _OSS_ALGORITHM,
        "x-oss-credential": f"{keys.key_id}/{scope}",
        "x-oss-date": stamp,
        "x-oss-expires": str(VALID_SECONDS),
    }
    if keys.session_token is not None:
        given["x-oss-security-token"] = keys.session_token
    canonical = urlencode(sorted(given.items()), quote_via=quote, safe="-_.~")
    # What has no value is signed without its equals sign.
    told = "&".join(part.removesuffix("=") for part in canonical.split("&"))
    path = quote(resource, safe="/-_.~")
    request = f"{method}\n{path}\n{told}\n\n\nUNSIGNED-PAYLOAD"
    text = f"{_OSS_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = _chained(f"aliyun_v4{keys.secret}", scope, text)
    return address.url(f"{canonical}&x-oss-signature={signature}")


def region_of_oss(endpoint: str) -> str:
    """Return the region that a host of OSS is of; empty where its name does not tell."""
    match = _OSS_HOST.fullmatch(endpoint)
    return match[1] if match else ""


def _chained(secret: str, scope: str, text: str) -> str:
    key = secret.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()
