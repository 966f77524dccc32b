"""Whether a fetch's credentials open its source, and who may read what they brought."""

from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from llmaz.agent.cache.acl import Acl
from llmaz.agent.cache.aclfile import read_acl, write_acl
from llmaz.agent.cache.origin import name_of
from llmaz.agent.cache.proof import proof_of
from llmaz.agent.cache.remote import Listing, RemoteFile, Source
from llmaz.agent.cache.request import FetchRequest
from llmaz.agent.cache.sources.answers import refusal
from llmaz.agent.cache.store import Tree
from llmaz.agent.cache.wire import Wire

_OPEN = (200, 206, 416)  # 416: the file is empty


def prove(request: FetchRequest, source: Source, files: Collection[RemoteFile]) -> None:
    """Ask for a byte of the smallest file that has any, and raise Refused where it is denied.

    A listing proves nothing: a gated repository shows its own to all.
    """
    file = min(files, key=lambda file: (file.size == 0, file.size))
    with closing(Wire()) as wire:
        answer = wire.ask(source.target(file), {"Range": "bytes=0-0"})
        wire.finish(answer)
    if answer.status not in _OPEN:
        known = source.why(answer.status, answer.headers)
        raise known or refusal(answer.status, name_of(request.origin))


def note_readers(request: FetchRequest, tree: Tree, listing: Listing) -> None:
    """Write down who may read the tree, before the tree can be found."""
    proven = set(read_acl(tree.root).proven)
    if request.credentials:
        proven.add(proof_of(Path(request.cache_dir), request.credentials))
    write_acl(tree.root, Acl(visibility=listing.visibility, proven=tuple(sorted(proven))))
