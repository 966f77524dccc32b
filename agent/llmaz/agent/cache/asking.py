"""How a model is asked for: with whose credentials, at which commit, together with whom."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from llmaz.agent.cache.origin import HubRepository, Remote, secret_of
from llmaz.agent.cache.outcome import FetchFailed
from llmaz.agent.cache.policy import FetchPolicy
from llmaz.agent.cache.ports import SecretError, Secrets
from llmaz.agent.cache.request import FetchRequest
from llmaz.agent.swarm.peering import Peering, write_peers
from llmaz.api.node import AssignedModel


class Asking:
    """Makes the requests of one node.

    peering: what the fetch of a model needs to share with other nodes; None: it shares with nobody
    """

    def __init__(
        self,
        cache_dir: Path,
        secrets: Secrets,
        policy: FetchPolicy,
        peering: Callable[[str], Peering | None],
    ) -> None:
        self._cache_dir = cache_dir
        self._secrets = secrets
        self._policy = policy
        self._peering = peering

    async def request(self, model: AssignedModel, origin: Remote) -> FetchRequest | FetchFailed:
        """Return the request for a model, or why there can be none now."""
        wanted = secret_of(origin, model.secret)
        try:
            given = (
                {}
                if wanted is None
                else await self._secrets.credentials(model.secret_namespace, wanted)
            )
        except SecretError as error:
            return FetchFailed(reason=error.reason, message=str(error), passing=True)
        return FetchRequest(
            origin=_at_commit(origin, model.revision),
            cache_dir=str(self._cache_dir),
            credentials=given,
            rates=self._policy.rates,
            priority=model.priority,
            refuse_pickle=self._policy.refuse_pickle,
            plain_http=self._policy.plain_http,
            xet=self._policy.xet,
            peering=self.share(model),
        )

    def share(self, model: AssignedModel) -> Peering | None:
        """List the model's peers for its fetch, unless this node shares with nobody."""
        peering = self._peering(model.name)
        if peering is not None:
            write_peers(Path(peering.peers_file), model.peers)
        return peering


def _at_commit(origin: Remote, commit: str) -> Remote:
    """Return the origin at the commit that other nodes hold, where it can be asked for."""
    if commit and isinstance(origin, HubRepository):
        return dataclasses.replace(origin, revision=commit)
    return origin
