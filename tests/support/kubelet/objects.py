"""What pods and nodes are to who runs them: JSON that is looked into by its keys."""

from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]
