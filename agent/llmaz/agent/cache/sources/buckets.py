"""Object stores: S3 and what speaks as it does, Google's by an HMAC key, and Alibaba's OSS.

No store says a sha256 of every object. What it does say is used: a whole-object sha256 of S3, an
md5 of GCS or OSS. Else the ETag holds the version fast while ranges are fetched, and the first
whole read says what the object is. An S3 ETag is no digest: of an upload in parts it is none of
the bytes.
"""

import base64
import binascii
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlencode

from llmaz.agent.cache.origin import Bucket, name_of
from llmaz.agent.cache.remote import Headers, Listing, Refused, RemoteFile, Target
from llmaz.agent.cache.sources.answers import (
    below,
    bounded,
    check_way,
    is_loopback,
    number,
    pinned,
    refusal,
    strong,
)
from llmaz.agent.cache.sources.google import endpoint_of_google
from llmaz.agent.cache.sources.identity import Identity, identity_of_aws
from llmaz.agent.cache.sources.signing import (
    Address,
    Keys,
    region_of_oss,
    signed_oss,
    signed_oss_v4,
    signed_v4,
)
from llmaz.agent.cache.wire import CutError, Wire

_ASKED_FROM = 2**20  # bytes; a smaller object's digest is not worth a request
_OSS_NAMES = ("OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN", "OSS_REGION")
_AWS_NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION")
_NONE: Mapping[str, str] = {}
_CHECKSUMS = {"x-amz-checksum-mode": "ENABLED"}
_REGION = "x-amz-bucket-region"
_ELSEWHERE = (301, 307, 400)


@dataclass
class Buckets:
    """One object, or all below one key. The region is corrected by the store's first answer."""

    origin: Bucket
    wire: Wire
    endpoint: str | None
    region: str
    keys: Keys | None
    identity: Identity[Keys] | None = None  # the node's own: gives keys where there are none
    in_host: bool = False  # a bucket of an endpoint of one's own is a part of the host's name

    @classmethod
    def of(
        cls,
        origin: Bucket,
        wire: Wire,
        credentials: Mapping[str, str],
        environ: Mapping[str, str],
        *,
        listed: tuple[str, ...] = (),
        maker: str = "",
    ) -> "Buckets":
        """Take a Secret's credentials whole, or the agent's environment's: never half of each."""
        names = _OSS_NAMES if origin.scheme == "oss" else _AWS_NAMES
        given = credentials if credentials.get(names[0]) else environ
        key_id, secret, session, region = (given.get(name) for name in names)
        keys = (
            Keys(key_id=key_id, secret=secret, session_token=session or None)
            if key_id and secret
            else None
        )
        usual = region_of_oss(origin.endpoint or "") if origin.scheme == "oss" else "us-east-1"
        region = region or environ.get(names[3]) or usual
        endpoint = _endpoint(origin, given, environ)
        identity = None
        if origin.scheme == "s3" and keys is None:
            identity = identity_of_aws(environ, region, listed, maker)
        is_told = identity is not None or bool(keys and keys.session_token)
        check_way(endpoint or "", listed, is_secret=is_told)  # a signature alone tells no key
        style = given.get("AWS_S3_ADDRESSING_STYLE") or environ.get("AWS_S3_ADDRESSING_STYLE")
        return cls(
            origin, wire, endpoint, region, keys, identity=identity, in_host=style == "virtual"
        )

    def listing(self) -> Listing:
        name = name_of(self.origin)
        try:
            files = [self._with_digest(file) for file in bounded(self._objects(), name)]
        except Refused as refused:
            if self.identity is None or refused.failure.reason != "Unauthorized":
                raise
            self.identity = None  # what all may read, the node need not have a right to
            files = [self._with_digest(file) for file in bounded(self._objects(), name)]
        if not files:
            words = f"there is nothing at {name}"
            raise Refused("FileNotFound", words, passing=False)
        return pinned(files, anonymous=self._keys() is None)

    def target(self, file: RemoteFile) -> Target:
        return Target(url=self._url(file.address, {}))

    def why(self, status: int, headers: Headers) -> Refused | None:  # noqa: ARG002
        """Say whether credentials were used: the store says neither."""
        if status not in (401, 403):
            return None
        name = name_of(self.origin)
        words = f"the store refuses {name} to these credentials (HTTP {status})"
        if self._keys() is None:
            words = f"there are no credentials, and the store refuses {name} (HTTP {status})"
        return Refused("Unauthorized", words, passing=False)

    def _objects(self) -> Iterator[RemoteFile]:
        query = {"prefix": self.origin.key, "max-keys": "1000"}
        if self.origin.scheme != "oss":
            query["list-type"] = "2"
        while True:
            page = self._page(query)
            yield from (file for entry in _all(page, "Contents") if (file := self._file(entry)))
            if _text(page, "IsTruncated") != "true":
                return
            if self.origin.scheme == "oss":
                query["marker"] = _text(page, "NextMarker")
            else:
                query["continuation-token"] = _text(page, "NextContinuationToken")

    def _page(self, query: Mapping[str, str]) -> ET.Element:
        answer, body = self.wire.text(Target(url=self._url("", query)))
        region = answer.headers.get(_REGION)
        if answer.status in _ELSEWHERE and region not in (None, self.region):
            self.region = region or self.region
            answer, body = self.wire.text(Target(url=self._url("", query)))
        if answer.status == 404:
            words = f"there is no bucket {self.origin.bucket}"
            raise Refused("RepositoryNotFound", words, passing=False)
        if answer.status != 200:
            known = self.why(answer.status, answer.headers)
            raise known or refusal(answer.status, name_of(self.origin))
        try:
            return ET.fromstring(body)  # noqa: S314  # expat bounds what entities may grow to
        except ET.ParseError as error:
            raise CutError(f"the store's listing is none: {error}") from None

    def _file(self, entry: ET.Element) -> RemoteFile | None:
        key = _text(entry, "Key")
        path = below(self.origin.key, key)
        if path is None:
            return None
        etag = _text(entry, "ETag")
        quoted = etag if etag.startswith('"') else f'"{etag}"'
        return RemoteFile(
            path=path,
            size=number(_text(entry, "Size")),
            address=key,
            etag=strong(quoted) if etag else None,
        )

    def _with_digest(self, file: RemoteFile) -> RemoteFile:
        if file.size < _ASKED_FROM:
            return file
        headers = _CHECKSUMS if self.origin.scheme == "s3" else {}
        target = Target(url=self._url(file.address, {}, "HEAD", headers))
        answer = self.wire.ask(target, headers, "HEAD")
        self.wire.finish(answer)
        if answer.status != 200:
            return file
        whole = answer.headers.get("x-amz-checksum-type") == "FULL_OBJECT"
        sha256 = answer.headers.get("x-amz-checksum-sha256") if whole else None
        md5 = answer.headers.get("Content-MD5") or _google_md5(answer.headers)
        return replace(file, sha256=_hex(sha256, 32), md5=_hex(md5, 16))

    def _url(
        self,
        key: str,
        query: Mapping[str, str],
        method: str = "GET",
        headers: Mapping[str, str] = _NONE,
    ) -> str:
        address = self._address(key)
        keys = self._keys()
        if keys is None:
            return address.url(urlencode(query))
        now = datetime.now(UTC)
        if self.origin.scheme == "oss":
            resource, sign = f"/{self.origin.bucket}/{key}", signed_oss
            if self.region:
                sign = partial(signed_oss_v4, region=self.region)
            return sign(address, dict(query), keys=keys, resource=resource, now=now, method=method)
        return signed_v4(
            address,
            dict(query),
            keys=keys,
            region=self.region,
            now=now,
            method=method,
            headers=headers,
        )

    def _keys(self) -> Keys | None:
        return self.keys if self.identity is None else self.identity.now()

    def _address(self, key: str) -> Address:
        """Put the bucket into the host's name where the store wants that, else into the path."""
        bucket = self.origin.bucket
        if self.endpoint is None:
            host = f"s3.{self.region}.amazonaws.com"
            if "." in bucket:  # no certificate covers it
                return Address(scheme="https", host=host, path=f"/{bucket}/{key}")
            return Address(scheme="https", host=f"{bucket}.{host}", path=f"/{key}")
        scheme, _, host = self.endpoint.partition("://")
        if self.in_host or (self.origin.scheme == "oss" and not is_loopback(host)):
            return Address(scheme=scheme, host=f"{bucket}.{host}", path=f"/{key}")
        return Address(scheme=scheme, host=host.rstrip("/"), path=f"/{bucket}/{key}")


def _endpoint(origin: Bucket, given: Mapping[str, str], environ: Mapping[str, str]) -> str | None:
    if origin.scheme == "oss":
        host = origin.endpoint or ""
        return f"http://{host}" if is_loopback(host) else f"https://{host}"
    if origin.scheme == "gs":
        return endpoint_of_google(environ)
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    return next((where[n] for where in (given, environ) for n in names if where.get(n)), None)


def _google_md5(headers: Headers) -> str | None:
    for part in (headers.get("x-goog-hash") or "").split(","):
        name, _, value = part.strip().partition("=")
        if name == "md5":
            return value
    return None


def _hex(text: str | None, length: int) -> str | None:
    try:
        raw = base64.b64decode(text or "", validate=True)
    except binascii.Error:
        return None
    return raw.hex() if len(raw) == length else None


def _all(element: ET.Element, name: str) -> Iterator[ET.Element]:
    """Find children by their name, whatever namespace the store puts them in."""
    return (child for child in element if child.tag.rpartition("}")[2] == name)


def _text(element: ET.Element, name: str) -> str:
    return next((child.text or "" for child in _all(element, name)), "")
