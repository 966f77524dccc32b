"""Who may have a tree that is on the node already."""

from dataclasses import dataclass, field
from pathlib import Path

from llmaz.agent.cache.acl import Acl, Visibility
from llmaz.agent.cache.aclfile import write_acl
from llmaz.agent.cache.authorize import REMEMBERED_SECONDS, Authorization
from llmaz.agent.cache.origin import HubRepository
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.proof import proof_of
from llmaz.agent.cache.store import Tree

ORIGIN = HubRepository(repository="acme/tiny", revision="main")
REFUSED = FetchFailed(reason="GatedRepository", message="the token does not open it", passing=False)
MINE, THEIRS = {"HF_TOKEN": "mine"}, {"HF_TOKEN": "theirs"}


@dataclass
class World:
    """A node with a tree, and a source that answers as it is told."""

    cache: Path
    acl: Acl | None
    answer: Fetched | FetchFailed = REFUSED
    asked: int = 0
    now: float = 0.0
    authorization: Authorization = field(init=False)

    def __post_init__(self) -> None:
        self.authorization = Authorization(self.cache, lambda: self.now)
        root = Tree.of(self.cache, "hub", "acme/tiny").root
        root.mkdir(parents=True)
        if self.acl is not None:
            write_acl(root, self.acl)

    async def prove(self) -> Fetched | FetchFailed:
        self.asked += 1
        return self.answer

    async def refusal(self, credentials: dict[str, str]) -> FetchFailed | None:
        return await self.authorization.refusal(ORIGIN, credentials, self.prove, "team")


async def test_what_is_public_is_for_all(tmp_path: Path) -> None:
    world = World(tmp_path, Acl(visibility=Visibility.PUBLIC))
    assert await world.refusal({}) is None
    assert world.asked == 0


async def test_who_fetched_it_may_have_it_again_without_the_source(tmp_path: Path) -> None:
    proof = proof_of(tmp_path, MINE)
    world = World(tmp_path, Acl(visibility=Visibility.GATED, proven=(proof,)))
    assert await world.refusal(MINE) is None
    assert world.asked == 0


async def test_others_and_those_without_credentials_are_refused(tmp_path: Path) -> None:
    world = World(tmp_path, Acl(visibility=Visibility.GATED, proven=(proof_of(tmp_path, MINE),)))
    for credentials in (THEIRS, {}):
        refusal = await world.refusal(credentials)
        assert refusal is not None
        assert refusal.reason == "NotAuthorized"
        assert "theirs" not in refusal.message


async def test_a_tree_without_a_record_gives_no_right(tmp_path: Path) -> None:
    assert await World(tmp_path, None).refusal({}) is not None


async def test_what_the_source_answered_well_counts_for_a_minute(tmp_path: Path) -> None:
    world = World(tmp_path, Acl(visibility=Visibility.GATED), answer=Fetched(path=""))
    assert await world.refusal(THEIRS) is None
    assert await world.refusal(THEIRS) is None
    assert world.asked == 1
    world.now, world.answer = REMEMBERED_SECONDS, REFUSED
    assert await world.refusal(THEIRS) is not None


async def test_a_source_that_cannot_be_reached_opens_nothing(tmp_path: Path) -> None:
    gone = FetchFailed(reason="NetworkUnreachable", message="it is gone", passing=True)
    refusal = await World(tmp_path, Acl(), answer=gone).refusal(THEIRS)
    assert refusal is not None
    assert refusal.passing
