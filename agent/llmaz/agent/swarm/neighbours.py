"""Whom a node listens to: all of a few, some of many. Pure."""

from collections.abc import Collection

from llmaz.agent.swarm.owners import weight
from llmaz.agent.swarm.values import Member
from llmaz.api.peer import ModelPeer

FULL_MESH = 32
_FROM_OWN_ZONE = 16
_FROM_EACH_OTHER = 2


def neighbours(me: Member, peers: Collection[ModelPeer]) -> dict[str, str]:
    """Return the peers to listen to, with their addresses.

    Many would cost more than they bring: of those, 16 of the node's zone and 2 of each other one,
    chosen by a hash of both names, so that the choice of all nodes together is even.
    """
    others = [peer for peer in peers if peer.name != me.name and peer.url]
    if len(others) < FULL_MESH:
        return {peer.name: peer.url for peer in sorted(others, key=lambda peer: peer.name)}
    chosen: dict[str, str] = {}
    for zone in sorted({peer.zone for peer in others}):
        there = [peer for peer in others if peer.zone == zone]
        there.sort(
            key=lambda peer: (weight("|".join(sorted((me.name, peer.name))), 0, ""), peer.name)
        )
        most = _FROM_OWN_ZONE if zone == me.zone else _FROM_EACH_OTHER
        chosen |= {peer.name: peer.url for peer in there[:most]}
    return chosen
