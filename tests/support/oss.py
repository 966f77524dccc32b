"""A bucket of Alibaba's OSS that answers nobody whose signature is not right, of either version.

It computes what the store's documentation says of a request as it arrived; the store's own client
is held against it, so that the agent's signatures are judged as the store judges them.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote
from xml.sax.saxutils import escape

from aiohttp import web

from support.downloads import Downloads

KEY_ID, SECRET, REGION, SESSION = "an-id", "a-secret", "cn-hangzhou", "a-session"
_SUB_RESOURCES = ("security-token", "continuation-token", "marker")


@dataclass
class OssBucket:
    """One bucket, named `bucket`, asked for by its path."""

    files: Mapping[str, bytes]
    downloads: Downloads = field(default_factory=Downloads)
    versions: set[int] = field(default_factory=set)  # of the signatures that were right

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/bucket/", self._list),
            web.get("/bucket", self._list),
            web.get("/bucket/{key:.+}", self._object),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        keys = sorted(key for key in self.files if key.startswith(request.query.get("prefix", "")))
        entries = "".join(map(self._entry, keys))
        head = "<Name>bucket</Name><Prefix></Prefix><Marker></Marker><MaxKeys>1000</MaxKeys>"
        text = f"<ListBucketResult>{head}<IsTruncated>false</IsTruncated>{entries}"
        return web.Response(text=f"{text}</ListBucketResult>", content_type="application/xml")

    def _entry(self, key: str) -> str:
        data = self.files[key]
        return (
            f"<Contents><Key>{escape(key)}</Key><Size>{len(data)}</Size><Type>Normal</Type>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;{hashlib.md5(data).hexdigest().upper()}&quot;</ETag>"
            "<StorageClass>Standard</StorageClass></Contents>"
        )

    async def _object(self, request: web.Request) -> web.StreamResponse:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        data = self.files[request.match_info["key"]]
        md5 = hashlib.md5(data)
        headers = {
            "ETag": f'"{md5.hexdigest().upper()}"',
            "Content-MD5": base64.b64encode(md5.digest()).decode(),
        }
        return await self.downloads.send(request, data, headers)

    def _refusal(self, request: web.Request) -> web.Response | None:
        told = request.query.get("x-oss-signature") or request.query.get("Signature")
        header = request.headers.get("Authorization", "")
        is_fourth = "x-oss-signature" in request.query or header.startswith("OSS4-")
        told = told or header.rpartition("Signature=" if is_fourth else ":")[2]
        right = _fourth(request) if is_fourth else _first(request)
        if not hmac.compare_digest(told, right):
            return web.Response(
                status=403, text="<Error><Code>SignatureDoesNotMatch</Code></Error>"
            )
        self.versions.add(4 if is_fourth else 1)
        return None


def _first(request: web.Request) -> str:
    subs = sorted((k, v) for k, v in request.query.items() if k in _SUB_RESOURCES)
    if "Expires" not in request.query:  # in headers, a listing's marker is no part of it
        subs = []
    subs = [(name, value) for name, value in subs if name != "marker"]
    query = "&".join(f"{name}={value}" for name, value in subs)
    own = sorted((k.lower(), v) for k, v in request.headers.items() if k.lower()[:6] == "x-oss-")
    headers = "".join(f"{name}:{value}\n" for name, value in own)
    when = request.query.get("Expires") or request.headers["Date"]
    resource = _resource(request) + (f"?{query}" if query else "")
    kind = request.headers.get("Content-Type", "")
    text = f"{request.method}\n\n{kind}\n{when}\n{headers}{resource}"
    return base64.b64encode(hmac.digest(SECRET.encode(), text.encode(), "sha1")).decode()


def _fourth(request: web.Request) -> str:
    own = sorted((k.lower(), v) for k, v in request.headers.items() if k.lower()[:6] == "x-oss-")
    kind = [("content-type", v) for k, v in request.headers.items() if k == "Content-Type"]
    headers = "".join(f"{name}:{value}\n" for name, value in sorted([*own, *kind]))
    query = "&".join(_told(request.query))
    path = quote(_resource(request), safe="/-_.~")
    asked = f"{request.method}\n{path}\n{query}\n{headers}\n\nUNSIGNED-PAYLOAD"
    stamp = request.query.get("x-oss-date") or request.headers["x-oss-date"]
    scope = f"{stamp[:8]}/{REGION}/oss/aliyun_v4_request"
    text = f"OSS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(asked.encode()).hexdigest()}"
    key = f"aliyun_v4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _told(query: Mapping[str, str]) -> Iterator[str]:
    for name, value in sorted(query.items()):
        if name != "x-oss-signature":
            quoted = quote(name, safe="-_.~")
            yield f"{quoted}={quote(value, safe='-_.~')}" if value else quoted


def _resource(request: web.Request) -> str:
    return f"/bucket/{request.match_info.get('key', '')}"
