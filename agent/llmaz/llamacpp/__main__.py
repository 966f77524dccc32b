"""Run the server: options, checks, then llama.cpp."""

import os
import sys

from llmaz.llamacpp.checks import StartError, check_address, check_model
from llmaz.llamacpp.options import Options, from_argv
from llmaz.llamacpp.say import say


def main() -> int:
    """Serve until a signal; where that can't be, say why in one sentence and in the exit code."""
    options = from_argv(sys.argv[1:])
    try:
        _run(options)
    except StartError as error:
        say(f"llmaz-llamacpp: {error}")
        return error.exit_code
    return 0


def _run(options: Options) -> None:
    check_model(options.model)
    if options.draft_model is not None:
        check_model(options.draft_model)
    check_address(options.host, options.port)
    try:
        from llmaz.llamacpp.server import serve  # noqa: PLC0415  # loads 100 MB: after checks
    except ImportError as error:
        raise StartError(f"{error}; pip install xllamacpp", os.EX_UNAVAILABLE) from None
    serve(options)


if __name__ == "__main__":
    sys.exit(main())
