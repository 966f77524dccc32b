"""An engine that compiles before it starts, as those on accelerators do: executed, not imported.

compiling.py LOG ENGINE [ARGUMENT...]: writes into LOG what it compiled and what it found, fails
with programs that are poisoned, and goes on as ENGINE.
"""

import os
import sys
from pathlib import Path

PLACES = ("TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "VLLM_CACHE_ROOT", "CUDA_CACHE_PATH")


def main() -> None:
    log, engine, *arguments = sys.argv[1:]
    with Path(log).open("a") as said:
        for name in PLACES:
            program = Path(os.environ[name], "deep", "kernel.so")
            if program.exists():
                said.write(f"found {name} {program.read_text()}\n")
                if program.read_text() == "poison":
                    said.flush()
                    os._exit(3)
                continue
            program.parent.mkdir(parents=True)
            program.write_text(name)
            said.write(f"compiled {name}\n")
    os.execv(sys.executable, [sys.executable, "-I", engine, *arguments])


if __name__ == "__main__":
    main()
