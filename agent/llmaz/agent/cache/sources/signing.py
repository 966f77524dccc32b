"""Addresses that carry a signature, as object stores read them. Pure.

The stores' own clients are not used: they take 60 MiB, and botocore asks for an older
python-dateutil than the Kubernetes client does, so that both can't be installed.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlencode

VALID_SECONDS = 3600
_ALGORITHM = "AWS4-HMAC-SHA256"


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
) -> str:
    """Sign as S3 wants it (version 4, in the query), for an hour."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    given = {
        **query,
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{keys.key_id}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(VALID_SECONDS),
        "X-Amz-SignedHeaders": "host",
    }
    if keys.session_token is not None:
        given["X-Amz-Security-Token"] = keys.session_token
    canonical = urlencode(sorted(given.items()), quote_via=quote, safe="-_.~")
    path = quote(address.path, safe="/-_.~")
    request = "\n".join(
        (method, path, canonical, f"host:{address.host}", "", "host", "UNSIGNED-PAYLOAD")
    )
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}"
    key = f"AWS4{keys.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
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
    """Sign as OSS wants it (version 1, in the query), for an hour; `resource` is /bucket/key."""
    expires = str(int(now.timestamp()) + VALID_SECONDS)
    text = f"{method}\n\n\n{expires}\n{resource}"
    signature = base64.b64encode(hmac.digest(keys.secret.encode(), text.encode(), "sha1")).decode()
    given = {**query, "OSSAccessKeyId": keys.key_id, "Expires": expires, "Signature": signature}
    return address.url(urlencode(given, quote_via=quote))
