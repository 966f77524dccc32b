"""Write lines beside llama.cpp's own."""

import sys


def say(line: str) -> None:
    """Write one line to the log in one piece.

    llama.cpp writes to the same file from threads of its own; `print` writes the line's end apart,
    and theirs came between.
    """
    sys.stderr.write(f"{line}\n")
