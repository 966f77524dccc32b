"""Which paths of engines a request may reach. Pure.

An engine has more than OpenAI's paths: those by which the agent puts it to sleep, and others that
change what it serves. They are for its node alone.
"""

_CHANGE_ENGINES = frozenset({"/v1/load_lora_adapter", "/v1/unload_lora_adapter"})


def is_open(path: str) -> bool:
    """Tell whether requests to a path, as it is decoded, are passed to engines.

    One with `..` would leave /v1 on its way there, since clients and servers both resolve it.
    """
    steps = path.replace("\\", "/").split("/")
    return "." not in steps and ".." not in steps and path.rstrip("/") not in _CHANGE_ENGINES
