"""The child program that looks at the devices: `python -m llmaz.agent.accelerators.child`.

It answers each line on its standard input with one line of JSON, and lives on between the
questions. A driver can hang in a call, so the parent ends the process when no answer comes; the
kernel ends it when the parent is gone.
"""

import json
import sys

from llmaz.agent.accelerators import pci
from llmaz.agent.accelerators.device import joined
from llmaz.agent.accelerators.nvml import Library
from llmaz.agent.children import die_with_parent
from llmaz.api.manifest import encode


def main() -> None:
    die_with_parent()
    library = Library()
    for _ in sys.stdin:
        answer = joined(library.look(), pci.scan())
        line = json.dumps({"kind": type(answer).__name__, "answer": encode(answer)})
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
