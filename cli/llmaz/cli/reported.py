"""What nodes report of their models, in rows."""

from collections.abc import Iterable

from llmaz.api.node import InferenceNode, ModelReport
from llmaz.api.quantity import in_words

HEADERS = ("Node", "Model", "Phase", "Size", "Done", "Rate", "From", "Left", "Revision", "Why")


def reports(nodes: Iterable[InferenceNode]) -> list[tuple[str, ModelReport]]:
    """Return what nodes say, by node and model."""
    found = [(node.metadata.name, one) for node in nodes for one in node.status.models or ()]
    return sorted(found, key=lambda one: (one[0], one[1].name))


def row(node: str, report: ModelReport) -> list[str]:
    """Return one line of the table; what is not known stays empty."""
    done, total = report.bytes_done, report.bytes_total
    rate = report.bytes_per_second
    return [
        node,
        report.name,
        report.phase.value,
        "" if total is None else in_words(total),
        "" if not total or done is None else f"{100 * done // total}%",
        "" if rate is None else f"{in_words(rate)}/s",
        report.fetched_from,
        "" if report.seconds_left is None else f"{report.seconds_left}s",
        report.revision[:12],
        f"{report.reason}: {report.message}" if report.reason else "",
    ]
