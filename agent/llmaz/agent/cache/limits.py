"""How much of the disk a cache may take: kept beside it, for all programs that fetch into it."""

import json
from dataclasses import dataclass
from pathlib import Path

from llmaz.agent.files import write_atomically

RESERVE_BYTES = 256 * 2**20  # left free for logs and the agent's own state
_NAME = "limits.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What fetched models may take.

    quota: bytes of all of them; None: as much as the disk has
    reserve: bytes of the disk that stay free
    """

    quota: int | None = None
    reserve: int = RESERVE_BYTES


def write_limits(cache_dir: Path, limits: Limits) -> None:
    """Note what the agent was told, for those that fetch beside it."""
    text = json.dumps({"quota": limits.quota, "reserve": limits.reserve})
    write_atomically(cache_dir / _NAME, text)


def read_limits(cache_dir: Path) -> Limits:
    """Return what the agent noted last; the defaults where there is nothing, or nonsense."""
    try:
        said = json.loads((cache_dir / _NAME).read_text())
        quota, reserve = said["quota"], said["reserve"]
    except (OSError, ValueError, KeyError, TypeError):
        return Limits()
    return Limits(
        quota=quota if isinstance(quota, int) else None,
        reserve=reserve if isinstance(reserve, int) else RESERVE_BYTES,
    )
