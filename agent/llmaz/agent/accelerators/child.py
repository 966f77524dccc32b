"""The child program that looks at the devices: `python -m llmaz.agent.accelerators.child`.

It answers each line on its standard input with one line of JSON, and lives on between the
questions. A driver can hang in a call, so the parent ends the process when no answer comes; the
kernel ends it when the parent is gone.
"""

import json
import sys

from llmaz.agent.accelerators.amd import Amd
from llmaz.agent.accelerators.device import Provider, joined
from llmaz.agent.accelerators.intel import Intel
from llmaz.agent.accelerators.nvml import Nvidia
from llmaz.agent.accelerators.others import OnTheBus
from llmaz.agent.children import die_with_parent
from llmaz.api.manifest import encode


def main() -> None:
    die_with_parent()
    providers: tuple[Provider, ...] = (Nvidia(), Amd(), Intel(), OnTheBus())
    for _ in sys.stdin:
        answer = joined(provider.look() for provider in providers)
        line = json.dumps({"kind": type(answer).__name__, "answer": encode(answer)})
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
