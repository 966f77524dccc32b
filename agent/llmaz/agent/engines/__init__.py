"""The engines of this node: what runs, what should, and the way from one to the other.

`Engines` (adapter.py) is the only thing the rest of the agent talks to; `decide_engines`
(decide.py) is the only place that decides. An engine is the child of a shim (llmaz.shim), never of
the agent, so that an agent may die, be upgraded and start again without an engine noticing.
"""

from llmaz.agent.engines.adapter import Engines
from llmaz.agent.engines.shutdown import stop_all
from llmaz.agent.engines.surroundings import Surroundings

__all__ = ["Engines", "Surroundings", "stop_all"]
