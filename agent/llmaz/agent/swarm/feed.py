"""Listens to one peer: what it has of each file, in a thread of its own."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from llmaz.agent.swarm.connection import Connection, Identity, PeerError
from llmaz.agent.swarm.values import Member, PeerTold

_AGAIN_SECONDS = 0.5


@dataclass
class Known:
    """What a peer has told of one file."""

    told: bool = False
    wants: bool = False
    have: int = 0
    claims: int = 0
    digests: dict[int, str] = field(default_factory=dict)


class Feed:
    """One peer's news. `heard` is called with each; `lost` when it hangs up."""

    def __init__(
        self,
        member: Member,
        url: str,
        keys: Sequence[str],
        identity: Identity,
        *,
        heard: Callable[[str, PeerTold], None],
        met: Callable[["Feed"], None],
        lost: Callable[["Feed"], None],
    ) -> None:
        self.member = member
        self.url = url
        self.is_up = False
        self.known: dict[str, Known] = {key: Known() for key in keys}
        self._keys = list(keys)
        self._identity = identity
        self._heard, self._met, self._lost = heard, met, lost
        self._ended = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"feed-{self.member.name}", daemon=True).start()

    def stop(self) -> None:
        self._ended.set()

    def digest(self, key: str, chunk: int) -> str | None:
        return self.known[key].digests.get(chunk)

    def told(self, key: str) -> PeerTold:
        """Return all that was told of a file so far."""
        known = self.known[key]
        return PeerTold(self.member.name, known.have, known.claims, anew=True, wants=known.wants)

    def _run(self) -> None:
        while not self._ended.is_set():
            with suppress(PeerError):  # it is away, or busy: it is asked again
                self._follow()
            self.is_up = False
            self._lost(self)  # also where it was never reached: nobody shall wait for it
            self._ended.wait(_AGAIN_SECONDS)

    def _follow(self) -> None:
        for news in Connection(self.url, self._identity).follow(self._keys):
            if self._ended.is_set():
                return
            if not self.is_up:
                self.known = {key: Known() for key in self._keys}
                self.is_up = True
                self._met(self)
            if news:
                self._take(news)

    def _take(self, news: Mapping[str, object]) -> None:
        key = news.get("key")
        known = self.known.get(key) if isinstance(key, str) else None
        if known is None or not isinstance(key, str):
            return
        if news.get("gone"):
            self.known[key] = Known(told=True)
            self._heard(key, PeerTold(self.member.name, 0, anew=True, wants=False))
            return
        have, claims = 0, 0
        anew = bool(news.get("anew"))
        if anew:
            known = self.known[key] = Known()
        for chunk, digest in _pairs(news.get("have")):
            have |= 1 << chunk
            known.digests[chunk] = digest
        for chunk in _numbers(news.get("claims")):
            claims |= 1 << chunk
        known.told = True
        known.wants, known.have, known.claims = True, known.have | have, known.claims | claims
        self._heard(key, PeerTold(self.member.name, have, claims, anew=anew))


_MOST_CHUNKS = 2**20


def _pairs(said: object) -> list[tuple[int, str]]:
    entries = said if isinstance(said, list) else []
    return [
        (entry[0], entry[1])
        for entry in entries
        if isinstance(entry, list)
        and len(entry) == 2
        and isinstance(entry[0], int)
        and 0 <= entry[0] < _MOST_CHUNKS
        and isinstance(entry[1], str)
    ]


def _numbers(said: object) -> list[int]:
    entries = said if isinstance(said, list) else []
    return [entry for entry in entries if isinstance(entry, int) and 0 <= entry < _MOST_CHUNKS]
