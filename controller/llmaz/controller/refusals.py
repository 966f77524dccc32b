"""Why a replica runs nowhere: per flavor, how many nodes fitted and what the others lack."""

from collections import Counter
from collections.abc import Mapping, Sequence

from llmaz.controller.board import Board, devices_of
from llmaz.controller.demand import Demand, Option
from llmaz.controller.flavors import hosts_of
from llmaz.controller.fleet import Fleet
from llmaz.controller.groups import refusal, short_of
from llmaz.controller.ledger import Ledger
from llmaz.controller.memory import gib
from llmaz.controller.outcomes import Unplaced
from llmaz.controller.shortage import Lack, Shortage

_NAMED = 3  # nodes that a refusal names per flavor; the rest are counted


def is_runnable(option: Option) -> bool:
    """Tell whether a flavor that takes several nodes belongs to a Service whose replicas may."""
    return option.worker is not None or hosts_of(option.flavor) == 1


def unplaced(demand: Demand, options: Sequence[Option], board: Board) -> Unplaced:
    """Say for each flavor of a replica that has no place why not, and who is more important."""
    found = [_reason(option, demand, board) for option in options]
    above = board.outranked(demand)
    ranks = [f"{above} replicas of higher priority have a place"] if above else []
    lacks = Counter(lack for _, mine in found for lack in mine)
    most = min(lacks, key=lambda lack: (-lacks[lack], lack), default=Lack.LABELS)
    return Unplaced(reasons=(*(words for words, _ in found), *ranks), lack=most)


def _reason(option: Option, demand: Demand, board: Board) -> tuple[str, list[Lack]]:
    """Say for one flavor how many nodes fit, and what the others are short of."""
    name = _called(option)
    above = board.usage.above_limit(board.path(demand), devices_of(option))
    if above is not None:
        return f"{name}: {above}", [Lack.TENANT_LIMIT]
    hosts, fleet = hosts_of(option.flavor), board.fleet
    if not is_runnable(option):
        words = (
            f"{name}: PP {hosts} takes a group of {hosts} nodes, and a replica runs on one: there "
            "are no multiHostCommands and no leaderTemplate"
        )
        return words, [Lack.COMMANDS]
    if not fleet.ledgers:
        return f"{name}: there are no nodes", [Lack.LABELS]
    return _of_nodes(name, option, fleet)


def _of_nodes(name: str, option: Option, fleet: Fleet) -> tuple[str, list[Lack]]:
    chosen = fleet.selected(option)
    if option.worker is None:
        none_fits = f"{name}: 0 of {len(fleet.ledgers)} nodes fit"
        problems = {one: why_not(option, ledger) for one, ledger in chosen.items()}
    else:
        none_fits = f"{name}: {refusal(option, fleet)}"
        problems = {one: short_of(option, ledger) for one, ledger in chosen.items()}
    if not chosen:
        which = option.capacity if fleet.labelled(option) else _labels(option)
        return f"{none_fits}: none is {which}", [Lack.LABELS]
    short = [(one, problem) for one, problem in problems.items() if problem is not None]
    if not short:
        return none_fits, [Lack.LABELS]
    named = ", ".join(f"{one} {problem}" for one, problem in short[:_NAMED])
    more = f", and {len(short) - _NAMED} more" if len(short) > _NAMED else ""
    lacks = [problem.lack for _, problem in short]
    return f"{none_fits}: {named}{more}{_others(option, fleet)}{_made_up(option, chosen)}", lacks


def _others(option: Option, fleet: Fleet) -> str:
    """Count the nodes that are none of a flavor's, so that all are accounted for."""
    labelled = len(fleet.labelled(option))
    unlike = len(fleet.ledgers) - labelled, labelled - len(fleet.selected(option))
    kinds = _labels(option), option.capacity
    return "".join(f", {many} not {kind}" for many, kind in zip(unlike, kinds, strict=True) if many)


def _labels(option: Option) -> str:
    return "labelled " + ",".join(f"{key}={value}" for key, value in option.selector)


def _called(option: Option) -> str:
    """Name a flavor, and the machines where only some that have it are meant."""
    return option.flavor.name + (f" on {option.capacity} nodes" if option.capacity else "")


def _made_up(option: Option, chosen: Mapping[str, Ledger]) -> str:
    """Say what the memory of an accelerator is needed for, where nodes lack it."""
    lacking = any(ledger.lacks_memory(option.needs) for ledger in chosen.values())
    memory = option.memory
    return f" ({gib(memory.each)} GiB are {memory})" if lacking and memory is not None else ""


def why_not(option: Option, ledger: Ledger) -> Shortage | None:
    """Say what a node lacks for one replica of one node; None where it fits."""
    closed = ledger.view.closed
    return Shortage.of(Lack.CLOSED, closed) if closed else ledger.shortage(option.needs)
