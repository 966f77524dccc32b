"""What the agent keeps in memory for as long as a node runs."""

import subprocess
import sys

# What its children are for, or what only some nodes need and then load.
HEAVY = ("huggingface_hub", "kubernetes", "packaging", "pynvml", "yaml")


def test_the_agent_starts_without_what_only_its_children_or_few_nodes_need() -> None:
    code = f"import sys, llmaz.agent.__main__; print([m for m in {HEAVY} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
