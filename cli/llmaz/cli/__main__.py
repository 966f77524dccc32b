"""The entry point: whatever goes wrong, and whenever Ctrl-C comes, is no trace for the user."""

import os
import sys
import traceback

from llmaz.cli.errors import FAILED, INTERRUPTED


def main() -> None:
    """Run the command; a defect of ours is a sentence too, with the trace for who wants it."""
    try:
        from llmaz.cli.commands import app  # takes a moment, in which Ctrl-C may come

        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        if os.environ.get("LLMAZ_DEBUG"):
            traceback.print_exc()
        print(f"error: unexpected {type(error).__name__}: {error}", file=sys.stderr)
        print("hint: this is a defect of llmaz; LLMAZ_DEBUG=1 shows where", file=sys.stderr)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
