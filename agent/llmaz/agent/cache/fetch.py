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
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from llmaz.agent.cache.access import note_readers, prove
from llmaz.agent.cache.failures import explained
from llmaz.agent.cache.formats import pickles
from llmaz.agent.cache.meter import Meter
from llmaz.agent.cache.names import first_unsafe
from llmaz.agent.cache.origin import HubRepository, Remote, home_of, kind_of, name_of
from llmaz.agent.cache.outcome import Fetched, FetchFailed, FileMark
from llmaz.agent.cache.policy import EVERY_SOURCE
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
from llmaz.agent.cache.sources.every import source_of
from llmaz.agent.cache.store import Store, Tree, publish
from llmaz.agent.cache.tally import Tallying
from llmaz.agent.cache.throttle import Throttle
from llmaz.agent.cache.transfer import SEGMENT_BYTES, STREAMED_SEGMENT_BYTES, Transfer
from llmaz.agent.cache.ways import way_of
from llmaz.agent.children import die_with_parent
from llmaz.api.manifest import decode

# A prefetch that is held back for something else is sent no more than this on each connection.
PREFETCH_WINDOW = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """The files of a model that a fetch is for."""

    listing: Listing
    files: tuple[RemoteFile, ...]
    keys: Mapping[str, str]  # the name of each while it is on its way, by its path


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
    wanted = _wanted(request, source)
    store, tree = Store(cache_dir), Tree.of(cache_dir, *home_of(origin))
    total = sum(file.size for file in wanted.files)
    tally = Tallying()
    meter = Meter(
        total,
        lambda done: tell(Progress(bytes_done=done, bytes_total=total, tally=tally.read())),
    )
    tell(Progress(bytes_done=0, bytes_total=total))
    there = _there(store, tree, wanted)
    for file in wanted.files:
        if file.path in there:
            meter.finish(file.path, file.size)
    absent = [file for file in wanted.files if file.path not in there]
    if absent:
        _take_room(cache_dir, name_of(origin), absent, wanted.keys, room)
        there |= _bring(request, source, absent, wanted.keys, meter, tally)
    for file in wanted.files:
        store.show(tree, wanted.listing.commit, file, there[file.path])
    revision = origin.revision if isinstance(origin, HubRepository) else "main"
    note_readers(request, tree, wanted.listing)
    publish(tree, wanted.listing, revision)
    root = tree.snapshot(wanted.listing.commit)
    return _fetched(root, entrance(origin, wanted.files), wanted.listing, wanted.files)


def _wanted(request: FetchRequest, source: Source) -> _Wanted:
    listing = request.listing or source.listing()
    _check_names(listing, name_of(request.origin))
    files = chosen(request.origin, listing.files)
    _check_formats(request, files)
    keys = {file.path: _key(request.origin, listing, file) for file in files}
    return _Wanted(listing=listing, files=files, keys=keys)


def _there(store: Store, tree: Tree, wanted: _Wanted) -> dict[str, str]:
    """Return the sha256 of each file whose bytes are on the node already, by its path."""
    found = ((f.path, _present(store, tree, f, wanted.keys[f.path])) for f in wanted.files)
    return {path: digest for path, digest in found if digest is not None}


def _bring(
    request: FetchRequest,
    source: Source,
    absent: list[RemoteFile],
    keys: Mapping[str, str],
    meter: Meter,
    tally: Tallying,
) -> dict[str, str]:
    """Bring what is absent into the store, in the quickest way; return each sha256 by its path."""
    with (
        way_of(request, source, absent, keys, tally) as sharing,
        closing(_throttle(request)) as throttle,
    ):
        transfer = Transfer(
            source,
            Store(Path(request.cache_dir)),
            lambda file, size: meter.add(file.path, size, file.size),
            spend=throttle.spend,
            sharing=sharing,
            tally=tally,
            segment_bytes=STREAMED_SEGMENT_BYTES if request.streamed else SEGMENT_BYTES,
            window=PREFETCH_WINDOW if request.priority == "prefetch" else None,
        )
        try:
            return transfer.bring(absent, keys)
        finally:
            meter.tell_last()


def _fetched(root: Path, entry: str, listing: Listing, files: tuple[RemoteFile, ...]) -> Fetched:
    return Fetched(
        path=str(root / entry) if entry else str(root),
        revision=listing.commit,
        files=tuple(FileMark(path=str(root / file.path), size=file.size) for file in files),
        pickles=pickles(file.path for file in files),
    )


def _proven(request: FetchRequest, source: Source) -> Fetched:
    listing = source.listing()
    prove(request, source, chosen(request.origin, listing.files))
    return Fetched(path="", revision=listing.commit)


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
