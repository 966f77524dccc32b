"""The ways on which a fetch's files come besides plain ranges: from other nodes, and by Xet."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from llmaz.agent.cache.access import prove
from llmaz.agent.cache.remote import RemoteFile, Source
from llmaz.agent.cache.request import FetchRequest
from llmaz.agent.cache.tally import Tallying
from llmaz.agent.cache.transfer import Sharing
from llmaz.agent.swarm.peering import read_peers


@contextmanager
def way_of(
    request: FetchRequest,
    source: Source,
    absent: list[RemoteFile],
    keys: Mapping[str, str],
    tally: Tallying,
) -> Iterator[Sharing | None]:
    """Bring files together with other nodes inside the `with` block, or else by Xet.

    None where neither is to be had: ranges of the source are always there.

    Peers believe this node to have the right to what it asks for, so that the source is asked
    before them: a gated repository shows its listing to all.
    """
    if request.peering is None or not read_peers(Path(request.peering.peers_file)):
        with _by_xet(request, source, absent, tally) as way:
            yield way
        return
    prove(request, source, absent)
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
