"""What commands print: tables, objects as JSON or YAML, and nothing that a pipe would choke on."""

import json
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, cast

import yaml

if TYPE_CHECKING:
    from rich.console import Console

    from llmaz.api.manifest import Json, Manifest


class Format(StrEnum):
    """Values of `-o`."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


def console() -> "Console":
    """Return the console of standard output; it honours NO_COLOR, and never wraps in a pipe."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 10_000
    return Console(width=width, highlight=False, markup=False, emoji=False)


def error_console() -> "Console":
    """Return the console of standard error, for what moves: standard output is for results."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def print_object(manifest: "Json", form: Format) -> None:
    """Print an object as JSON or YAML."""
    if form is Format.JSON:
        print(json.dumps(manifest, indent=2, ensure_ascii=False))
    else:
        print(yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True), end="")


def print_table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], *, with_header: bool = True
) -> None:
    """Print rows in columns, as kubectl lays them out."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, show_header=with_header)
    for header in headers:
        table.add_column(header.upper(), no_wrap=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    screen = console()
    with screen.capture() as drawn:
        screen.print(table)
    for line in drawn.get().splitlines():
        print(line.rstrip())  # rich fills the last column up


def table_rows(table: "Manifest", *, wide: bool) -> tuple[list[str], list[list[str]]]:
    """Return the headers and cells of a server's Table; `wide` has the columns of low priority."""
    columns = cast("list[Manifest]", table.get("columnDefinitions") or [])
    shown = [i for i, column in enumerate(columns) if wide or not column.get("priority")]
    headers = [str(columns[i]["name"]) for i in shown]
    rows = cast("list[Manifest]", table.get("rows") or [])
    cells = [[_text(cast("list[Json]", row["cells"])[i]) for i in shown] for row in rows]
    return headers, cells


def row_keys(table: "Manifest") -> list[tuple[str, str]]:
    """Return namespace and name of each row's object."""
    rows = cast("list[Manifest]", table.get("rows") or [])
    metas = [cast("Manifest", cast("Manifest", row["object"])["metadata"]) for row in rows]
    return [(str(meta.get("namespace") or ""), str(meta["name"])) for meta in metas]


def _text(cell: "Json") -> str:
    if cell is None:
        return "<none>"
    return json.dumps(cell) if isinstance(cell, (dict, list, bool)) else str(cell)
