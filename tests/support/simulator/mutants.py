"""Mistakes that the controller could make, each of which some history has to find.

Rules that nothing ever breaks may be rules that can't be broken. A mutant replaces one decision of
the controller for the rest of the process that it is put into.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from llmaz.controller import (
    assignment,
    board,
    groups,
    ledger,
    nodes,
    perform,
    placement,
    preempt,
    served,
    staying,
    tenants,
    turns,
)
from llmaz.controller.actions import Assign


def _whatever_version(*, version: str = "", **given: Any) -> Assign:  # noqa: ANN401  # as Assign's
    del version
    return Assign(**given)


# In words: where, what and what instead.
MUTANTS: Mapping[str, tuple[object, str, object]] = MappingProxyType(
    {
        "a node counts as lost at once": (nodes, "LOST_AFTER", timedelta(seconds=1)),
        "a Service that was not seen is not asked for again": (
            assignment,
            "_gone",
            lambda *_: (),
        ),
        "an assignment is written over whatever is there": (
            assignment,
            "Assign",
            _whatever_version,
        ),
        "nothing that runs stays where it is": (placement, "stays", lambda *_: {}),
        "an update takes all replicas at once": (turns, "most_unavailable", lambda _: 99),
        "what waits for its turn holds nothing": (turns, "_things", lambda _: ()),
        "an update does not wait for what is ready": (
            served.Served,
            "serving",
            lambda *_: None,
        ),
        "an engine may keep accelerators that its flavor does not want": (
            staying,
            "_is_legal",
            lambda *_: True,
        ),
        "accelerators that are taken are given away again": (
            ledger.Ledger,
            "take",
            lambda *_: None,
        ),
        "what is not known to be wanted ends": (served, "_is_kept", lambda *_: False),
        "a group begins without enough nodes": (
            groups,
            "_neighbourhoods",
            lambda fitting: iter([list(fitting) * 2]),
        ),
        "a group with a member that ended does not start anew": (
            staying,
            "epoch_of",
            groups.last_epoch,
        ),
        "epochs are counted anew": (groups, "_running_epoch", lambda _: 0),
        "a sick accelerator drives nothing away": (
            staying,
            "_is_settled",
            lambda seat, fleet, demand: not staying.is_driven(seat, fleet, demand),
        ),
        "a node drives nothing away": (nodes.NodeView, "drives_away", lambda *_: False),
        "what is driven away ends before it serves elsewhere": (turns, "_left_by", lambda *_: None),
        "nobody keeps the room of what is driven away": (
            board.Board,
            "reserve",
            lambda *_: None,
        ),
        "a limit binds nobody": (tenants.Usage, "above_limit", lambda *_: None),
        "what is about to be given up is used before": (board.Board, "remember", lambda *_: None),
        "who made way for a limit is put back": (board.Board, "put_back", board.Board.restore),
        "equals make way for each other": (
            preempt.Displacing,
            "_may_displace",
            lambda *_: "priority",
        ),
        "nobody makes way": (preempt.Displacing, "place", lambda *_: None),
        "a new node is told nothing": (perform, "_spelled_out", lambda _: {}),
    }
)


def mutate(name: str) -> None:
    """Let this process make the mistake from now on."""
    where, what, instead = MUTANTS[name]
    if not hasattr(where, what):
        raise LookupError(f"{name}: {where} has no {what}")
    setattr(where, what, instead)
