"""The child program that fetches a model: `python -m llmaz.agent.cache.fetch`.

It is a process of its own, so that hashing takes no turn of the agent's loop and a fetch is ended
by a kill: what it brought stays, and the next one goes on from there. It reads one request on
standard input and writes events on standard output. Blocking sockets and threads take half of the
processor time that an asynchronous client would, and the standard library alone a quarter of the
memory of the hubs' clients.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from llmaz.agent.cache.acl import Acl
from llmaz.agent.cache.aclfile import read_acl, write_acl
from llmaz.agent.cache.failures import explained
from llmaz.agent.cache.formats import pickles
from llmaz.agent.cache.meter import Meter
from llmaz.agent.cache.names import first_unsafe
from llmaz.agent.cache.origin import HubRepository, Remote, home_of, kind_of, name_of
from llmaz.agent.cache.outcome import Fetched, FetchFailed, FileMark
from llmaz.agent.cache.policy import EVERY_SOURCE
from llmaz.agent.cache.proof import proof_of
from llmaz.agent.cache.remote import Listing, Refused, RemoteFile, Source
from llmaz.agent.cache.request import (
    Event,
    FetchRequest,
    Progress,
    Room,
    RoomWanted,
    read_request,
    write_event,
)
from llmaz.agent.cache.selection import chosen, entrance
from llmaz.agent.cache.sources.answers import refusal
from llmaz.agent.cache.sources.every import source_of
from llmaz.agent.cache.store import Store, Tree, publish
from llmaz.agent.cache.tally import Tallying
from llmaz.agent.cache.throttle import Throttle
from llmaz.agent.cache.transfer import (
    SEGMENT_BYTES,
    STREAMED_SEGMENT_BYTES,
    Sharing,
    Transfer,
)
from llmaz.agent.cache.wire import Wire
from llmaz.agent.children import die_with_parent
from llmaz.agent.swarm.peering import read_peers
from llmaz.api.manifest import decode

# A prefetch that is held back for something else is sent no more than this on each connection.
PREFETCH_WINDOW = 2**20
_OPEN = (200, 206, 416)  # 416: the file is empty


def fetch(
    request: FetchRequest,
    environ: Mapping[str, str],
    tell: Callable[[Progress], None],
    room: Callable[[int], Room],
) -> Fetched | FetchFailed:
    """Bring the files into the tree, verify them, and only then make the commit known."""
    try:
        source = source_of(request, environ)
        if request.prove:
            return _proven(request, source)
        return _fetch(request, source, tell, room)
    except Refused as refused:
        return refused.failure
    except Exception as error:  # the process's outermost border: any error is an answer
        return explained(error, name_of(request.origin))


def _fetch(
    request: FetchRequest,
    source: Source,
    tell: Callable[[Progress], None],
    room: Callable[[int], Room],
) -> Fetched:
    origin, cache_dir = request.origin, Path(request.cache_dir)
    cache_dir.mkdir(parents=True, exist_ok=True)
    with closing(_throttle(request)) as throttle:
        throttle.spend(0)  # that something is demanded is known before its first byte
    listing = request.listing or source.listing()
    _check_names(listing, name_of(origin))
    files = chosen(origin, listing.files)
    _check_formats(request, files)
    store, tree = Store(cache_dir), Tree.of(cache_dir, *home_of(origin))
    total = sum(file.size for file in files)
    tally = Tallying()
    meter = Meter(
        total,
        lambda done: tell(Progress(bytes_done=done, bytes_total=total, tally=tally.read())),
    )
    tell(Progress(bytes_done=0, bytes_total=total))
    keys = {file.path: _key(origin, listing, file) for file in files}
    there = {f.path: digest for f in files if (digest := _present(store, tree, f, keys[f.path]))}
    for file in files:
        if file.path in there:
            meter.finish(file.path, file.size)
    absent = [file for file in files if file.path not in there]
    if absent:
        _take_room(cache_dir, name_of(origin), absent, keys, room)
        with (
            _shared(request, source, absent, keys, tally) as sharing,
            closing(_throttle(request)) as throttle,
        ):
            transfer = Transfer(
                source,
                store,
                lambda file, size: meter.add(file.path, size, file.size),
                spend=throttle.spend,
                sharing=sharing,
                tally=tally,
                segment_bytes=STREAMED_SEGMENT_BYTES if request.streamed else SEGMENT_BYTES,
                window=PREFETCH_WINDOW if request.priority == "prefetch" else None,
            )
            try:
                there |= transfer.bring(absent, keys)
            finally:
                meter.tell_last()
    for file in files:
        store.show(tree, listing.commit, file, there[file.path])
    revision = origin.revision if isinstance(origin, HubRepository) else "main"
    _note_readers(request, tree, listing)
    publish(tree, listing, revision)
    return _fetched(tree.snapshot(listing.commit), entrance(origin, files), listing, files)


@contextmanager
def _shared(
    request: FetchRequest,
    source: Source,
    absent: list[RemoteFile],
    keys: Mapping[str, str],
    tally: Tallying,
) -> Iterator[Sharing | None]:
    """Bring files together with other nodes inside the `with` block, where there are others.

    Peers believe this node to have the right to what it asks for, so that the source is asked
    before them: a gated repository shows its listing to all.
    """
    if request.peering is None or not read_peers(Path(request.peering.peers_file)):
        with _by_xet(request, source, absent, tally) as way:
            yield way
        return
    _prove(source, min(absent, key=lambda file: (file.size == 0, file.size)), request)
    from llmaz.agent.swarm.transport import SwarmTransfer  # noqa: PLC0415  # only to share

    transfer = SwarmTransfer(
        Path(request.cache_dir),
        request.peering,
        [keys[file.path] for file in absent],
        tally=tally,
    )
    with closing(transfer):
        yield transfer


@contextmanager
def _by_xet(
    request: FetchRequest, source: Source, absent: list[RemoteFile], tally: Tallying
) -> Iterator[Sharing | None]:
    """Look for a quicker way than plain ranges inside the `with` block, where the hub has one.

    A fetch that is held back is slow by intent, and looks for none by itself.
    """
    held_back = request.priority == "prefetch" or bool(request.rates)
    if request.xet == "never" or (request.xet == "auto" and held_back):
        yield None
        return
    if not any(file.xet for file in absent):
        yield None
        return
    from llmaz.agent.cache.sources.xetdoor import opener  # noqa: PLC0415  # few need it
    from llmaz.agent.cache.xet import XetWay  # noqa: PLC0415

    way = XetWay(
        opener(source, absent[0].address, request.plain_http),
        request.xet,
        scratch=Path(request.cache_dir) / "xet",
        brought=lambda: tally.read().from_origin,
        environ=os.environ,
    )
    with closing(way):
        yield way


def _fetched(root: Path, entry: str, listing: Listing, files: tuple[RemoteFile, ...]) -> Fetched:
    return Fetched(
        path=str(root / entry) if entry else str(root),
        revision=listing.commit,
        files=tuple(FileMark(path=str(root / file.path), size=file.size) for file in files),
        pickles=pickles(file.path for file in files),
    )


def _proven(request: FetchRequest, source: Source) -> Fetched:
    """Ask for a byte: a gated repository shows its listing to all."""
    listing = source.listing()
    file = min(chosen(request.origin, listing.files), key=lambda file: (file.size == 0, file.size))
    _prove(source, file, request)
    return Fetched(path="", revision=listing.commit)


def _prove(source: Source, file: RemoteFile, request: FetchRequest) -> None:
    with closing(Wire()) as wire:
        answer = wire.ask(source.target(file), {"Range": "bytes=0-0"})
        wire.finish(answer)
    if answer.status not in _OPEN:
        known = source.why(answer.status, answer.headers)
        raise known or refusal(answer.status, name_of(request.origin))


def _note_readers(request: FetchRequest, tree: Tree, listing: Listing) -> None:
    """Write down who may read the tree, before the tree can be found."""
    proven = set(read_acl(tree.root).proven)
    if request.credentials:
        proven.add(proof_of(Path(request.cache_dir), request.credentials))
    write_acl(tree.root, Acl(visibility=listing.visibility, proven=tuple(sorted(proven))))


def _throttle(request: FetchRequest) -> Throttle:
    names = (EVERY_SOURCE, kind_of(request.origin))
    rates = {name: request.rates[name] for name in names if name in request.rates}
    folder = Path(request.cache_dir) / "rates"
    demanded = request.priority == "demand"
    return Throttle(folder, {EVERY_SOURCE: 0} | rates, demanded=demanded)


def _check_formats(request: FetchRequest, files: tuple[RemoteFile, ...]) -> None:
    found = pickles(file.path for file in files)
    if found and request.refuse_pickle:
        words = (
            f"{name_of(request.origin)} has {found[0]!r}, which runs code when it is opened, and "
            "this node refuses such: select other files by patterns"
        )
        raise Refused("PickleRefused", words, passing=False)


def _check_names(listing: Listing, where: str) -> None:
    unsafe = first_unsafe(file.path for file in listing.files)
    if unsafe is not None:
        words = f"{where} has a file named {unsafe[0][:200]!r}, which {unsafe[1]}"
        raise Refused("UnsafeRepository", words, passing=False)


def _present(store: Store, tree: Tree, file: RemoteFile, key: str) -> str | None:
    """Return the sha256 of a file whose bytes are on the node already."""
    sha256 = file.sha256 or (store.learned(key) if file.version is not None else None)
    if sha256 is not None and store.holds(sha256, file.size):
        return sha256
    if file.sha256 is None and file.git_sha1 is None:
        return None
    return store.adopt(tree.blob(file, ""), file)


def _key(origin: Remote, listing: Listing, file: RemoteFile) -> str:
    """Name a file on its way: by its digest, else by where it is and which version it is of."""
    if file.sha256 is not None:
        return file.sha256
    version = file.git_sha1 or file.version or file.md5 or listing.commit
    facts = [*home_of(origin), file.path, file.size, version]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _take_room(
    cache_dir: Path,
    name: str,
    absent: list[RemoteFile],
    keys: Mapping[str, str],
    room: Callable[[int], Room],
) -> None:
    """Ask for room before the first byte, less what a fetch before this one has taken."""
    begun = (cache_dir / "partial" / f"{keys[file.path]}.data" for file in absent)
    taken = sum(data.stat().st_blocks * 512 for data in begun if data.exists())
    refusal = room(max(0, sum(file.size for file in absent) - taken)).refusal
    if refusal is not None:
        raise Refused("NoSpace", f"there is no room for {name}: {refusal}", passing=True)


def main() -> None:
    die_with_parent()
    request = read_request(sys.stdin.readline())

    def tell(event: Event) -> None:
        sys.stdout.write(write_event(event) + "\n")
        sys.stdout.flush()

    def room(needed: int) -> Room:
        tell(RoomWanted(bytes_needed=needed))
        return decode(Room, json.loads(sys.stdin.readline()))

    tell(fetch(request, os.environ, tell, room))


if __name__ == "__main__":
    main()
