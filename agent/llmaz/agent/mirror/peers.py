"""Which nodes may have what a client asks for: a list that its fetch reads while it goes on."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from llmaz.agent.cache.store import Tree
from llmaz.agent.mirror.assigned import Noted, homes_of
from llmaz.agent.sharing.settings import SharingSettings
from llmaz.agent.swarm.peering import Peering, write_peers
from llmaz.api.node import NodeSpec
from llmaz.api.peer import ModelPeer

logger = logging.getLogger(__name__)

Home = tuple[str, str]


class ClientPeers:
    """Lists the nodes for the fetches of clients, a file for each repository."""

    def __init__(self, settings: SharingSettings, noted: Noted) -> None:
        self._settings = settings
        self._noted = noted
        self._fetches: Counter[Home] = Counter()
        self._writing = threading.Lock()  # two that write one file at once would meet beside it

    @contextmanager
    def listing(self, home: Home) -> Iterator[Callable[[], Peering | None]]:
        """Keep a repository's list inside the `with` block; the value writes it as of now."""
        self._fetches[home] += 1
        try:
            yield partial(self._share, home)
        finally:
            self._fetches[home] -= 1
            if not self._fetches[home]:
                del self._fetches[home]
                self._path(home).unlink(missing_ok=True)

    def _share(self, home: Home) -> Peering | None:
        """Write who may have a repository; None where nobody can be asked."""
        settings, spec = self._settings, self._noted()
        if settings.token_file is None or spec is None:
            return None
        peers = peers_of(spec, home)
        if all(peer.name == settings.node_name for peer in peers):
            return None
        path = self._path(home)
        try:
            with self._writing:
                write_peers(path, peers)
                if home not in self._fetches:  # it ended meanwhile, and has removed its list
                    path.unlink(missing_ok=True)
        except OSError as error:  # the fetch goes on alone, or with those that it knows
            logger.warning("peers can't be listed: %s", error)
            return None
        return Peering(
            node=settings.node_name,
            peers_file=str(path),
            token_file=str(settings.token_file.absolute()),
            tls=settings.tls,
        )

    def _path(self, home: Home) -> Path:
        family, repository = home
        tree = Tree.of(self._settings.cache_dir, family, repository)
        return self._settings.cache_dir / "peers" / "of-clients" / family / f"{tree.root.name}.json"


def peers_of(spec: NodeSpec, home: Home) -> tuple[ModelPeer, ...]:
    """Return who wants or holds a repository, as far as is known, and the node's neighbours."""
    found = {peer.name: peer for peer in spec.neighbours}
    for model in spec.models:
        if home in homes_of((model,)):
            found |= {peer.name: peer for peer in model.peers}
    return tuple(found[name] for name in sorted(found))
