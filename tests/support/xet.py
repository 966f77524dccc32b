"""A hub that keeps its large files in Xet, as far as downloads of the real client go.

Files are cut into chunks, chunks lie in xorbs, and a file is put together from ranges of these. A
real store chunks by content and names all by Merkle hashes; the client, which checks none of them
when it downloads, is as content with pieces of one length and other names.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from support.hub import COMMIT, Repository, routes_of
from support.hub import Hub as PlainHub

_CHUNK, _CHUNKS = 2**16, 64  # bytes of a chunk, and chunks of a xorb
XORB = _CHUNK * _CHUNKS
_READ_TOKEN = "a-read-token"  # of a stand-in


@dataclass
class XetHub:
    """One repository, `acme/tiny`. `asked` are the questions to the store of chunks.

    stops_after: so many of the first xorbs are sent; the others are waited for in vain
    """

    repository: Repository
    asked: list[str] = field(default_factory=list)
    flips: bool = False  # a bit of each xorb's first chunk
    refuses: bool = False  # to say where chunks are
    store: str | None = None  # where the hub says that they are; None: here
    stops_after: int | None = None
    sent: int = 0
    shown: set[str] = field(default_factory=set)  # what shows who asks the store
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def routes(self) -> list[web.RouteDef]:
        hub = PlainHub({"acme/tiny": self.repository})
        self.repository.xet = {_name(data): data for data in self.repository.files.values()}
        return [
            web.get("/api/models/acme/tiny/xet-read-token/{revision}", self._token),
            web.get("/v1/reconstructions/{hash}", self._reconstruction),
            web.get("/xorbs/{hash}/{number}", self._xorb),
            *routes_of(hub),
        ]

    @property
    def _files(self) -> Mapping[str, bytes]:
        return self.repository.xet or {}

    async def _token(self, request: web.Request) -> web.Response:
        self.asked.append("token")
        assert request.match_info["revision"] == COMMIT
        where = self.store or f"http://{request.host}"
        headers = {
            "X-Xet-Access-Token": _READ_TOKEN,
            "X-Xet-Token-Expiration": "4000000000",
            "X-Xet-Cas-Url": where,
        }
        said = {"accessToken": _READ_TOKEN, "exp": 4000000000, "casUrl": where}
        return web.json_response(said, headers=headers)

    async def _reconstruction(self, request: web.Request) -> web.Response:
        self.asked.append("reconstruction")
        self.shown.add(request.headers["Authorization"])
        if self.refuses:
            raise web.HTTPForbidden
        name = request.match_info["hash"]
        data, wanted = self._files[name], request.http_range
        start, stop = wanted.start or 0, min(wanted.stop or len(data), len(data))
        first, last = start // XORB, (stop - 1) // XORB
        terms, infos = [], {}
        for number, chunks in list(enumerate(_xorbs(data)))[first : last + 1]:
            xorb, whole = f"{number:064x}", {"start": 0, "end": len(chunks)}
            terms.append({"hash": xorb, "unpacked_length": sum(map(len, chunks)), "range": whole})
            url = f"http://{request.host}/xorbs/{name}/{number}"
            bounds = {"start": 0, "end": len(_serialized(chunks)) - 1}
            infos[xorb] = [{"range": whole, "url": url, "url_range": bounds}]
        offset = start - first * XORB
        said = {"offset_into_first_range": offset, "terms": terms, "fetch_info": infos}
        return web.json_response(said)

    async def _xorb(self, request: web.Request) -> web.Response:
        self.asked.append("xorb")
        number = int(request.match_info["number"])
        if self.stops_after is not None and number >= self.stops_after:
            self.stopped.set()
            await asyncio.Event().wait()
        self.sent += 1
        chunks = _xorbs(self._files[request.match_info["hash"]])[number]
        body = bytearray(_serialized(chunks))
        body[8] ^= 1 if self.flips else 0
        start, stop = request.http_range.start or 0, request.http_range.stop or len(body)
        shown = {"Content-Range": f"bytes {start}-{stop - 1}/{len(body)}"}
        return web.Response(status=206, body=bytes(body[start:stop]), headers=shown)


def _name(data: bytes) -> str:
    return hashlib.sha256(b"xet" + data).hexdigest()


def _xorbs(data: bytes) -> list[list[bytes]]:
    chunks = [data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK)]
    return [chunks[at : at + _CHUNKS] for at in range(0, len(chunks), _CHUNKS)]


def _serialized(chunks: list[bytes]) -> bytes:
    """Write each chunk after its head: a version, its length, no compression, its length again."""
    heads = ((b"\0" + len(chunk).to_bytes(3, "little")) * 2 for chunk in chunks)
    return b"".join(head + chunk for head, chunk in zip(heads, chunks, strict=True))
