"""A hub that keeps its large files in Xet, as far as downloads of the real client go.

Files are cut into chunks, chunks lie in xorbs, and a file is put together from ranges of these. A
real store chunks by content and names all by Merkle hashes; the client, which checks none of them
when it downloads, is as content with pieces of one length and other names.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from support.hub import COMMIT, Repository, routes_of
from support.hub import Hub as PlainHub

_CHUNK, _CHUNKS = 2**16, 512  # bytes of a chunk, and chunks of a xorb
_READ_TOKEN = "a-read-token"  # of a stand-in


@dataclass
class XetHub:
    """One repository, `acme/tiny`. `asked` are the questions to the store of chunks."""

    repository: Repository
    asked: list[str] = field(default_factory=list)
    flips: bool = False  # a bit of each xorb's first chunk

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
        where = f"http://{request.host}"
        headers = {
            "X-Xet-Access-Token": _READ_TOKEN,
            "X-Xet-Token-Expiration": "4000000000",
            "X-Xet-Cas-Url": where,
        }
        said = {"accessToken": _READ_TOKEN, "exp": 4000000000, "casUrl": where}
        return web.json_response(said, headers=headers)

    async def _reconstruction(self, request: web.Request) -> web.Response:
        self.asked.append("reconstruction")
        assert request.headers["Authorization"] == f"Bearer {_READ_TOKEN}"
        name = request.match_info["hash"]
        assert len(self._files[name]) <= _CHUNK * _CHUNKS  # larger ones are asked for in parts
        terms, infos = [], {}
        for number, chunks in enumerate(_xorbs(self._files[name])):
            xorb, whole = f"{number:064x}", {"start": 0, "end": len(chunks)}
            terms.append({"hash": xorb, "unpacked_length": sum(map(len, chunks)), "range": whole})
            url = f"http://{request.host}/xorbs/{name}/{number}"
            bounds = {"start": 0, "end": len(_serialized(chunks)) - 1}
            infos[xorb] = [{"range": whole, "url": url, "url_range": bounds}]
        said = {"offset_into_first_range": 0, "terms": terms, "fetch_info": infos}
        return web.json_response(said)

    async def _xorb(self, request: web.Request) -> web.Response:
        self.asked.append("xorb")
        chunks = _xorbs(self._files[request.match_info["hash"]])[int(request.match_info["number"])]
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
