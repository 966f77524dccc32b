"""What is counted of one fetch."""

from llmaz.agent.cache.tally import Tally, Tallying


def test_what_peers_did_not_bring_came_from_the_origin() -> None:
    counting = Tallying()
    for size in (10, 20, 30):
        counting.add("brought", size)
    counting.add("from_peers", 20)
    counting.add("stalls")
    assert counting.read() == Tally(from_origin=40, from_peers=20, stalls=1)


def test_the_sources_are_told_in_a_word() -> None:
    tallies = (
        Tally(),
        Tally(from_peers=1),
        Tally(from_origin=1),
        Tally(from_peers=1, from_origin=1),
    )
    assert [tally.sources for tally in tallies] == ["", "peers", "origin", "both"]


def test_what_came_is_what_peers_and_the_source_sent() -> None:
    tally = Tallying()
    tally.add("brought", 5)
    tally.received("zone", 3)
    assert tally.read().came == 5
