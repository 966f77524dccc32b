"""The last assignment on the disk.

The agent goes on with it when the API server is away, over its own restart too.
"""

import json
from pathlib import Path

from llmaz.agent.assignment import Assignment
from llmaz.agent.files import write_atomically
from llmaz.api.manifest import decode, encode


class AssignmentFile:
    """The last assignment, in the agent's state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "assignment.json"

    def load(self) -> Assignment | None:
        """Return the assignment that was saved last; None where there is none."""
        try:
            text = self._path.read_text()
        except FileNotFoundError:
            return None
        return decode(Assignment, json.loads(text))

    def save(self, assignment: Assignment) -> None:
        write_atomically(self._path, json.dumps(encode(assignment)))
