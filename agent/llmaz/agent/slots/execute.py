"""Commands of probes and hooks, run in the container of a slot: never in the agent's own."""

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path

from llmaz.agent.engines.answer import Answer
from llmaz.api.pod import Exec
from llmaz.shim import protocol

LONGEST_SECONDS = 3600.0  # whoever asks gives up before, and lets go of the connection


async def execute(directory: Path, action: Exec, env: Mapping[str, str]) -> Answer:
    """Run a command by the shim of a slot's directory; raises OSError where there is none."""
    handle = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:  # by the handle, since a socket's path is limited to 107 bytes
        path = f"/proc/self/fd/{handle}/{protocol.SOCKET}"
        reader, writer = await asyncio.open_unix_connection(path)
    finally:
        os.close(handle)
    request = {
        "v": protocol.VERSION,
        "id": 1,
        "op": protocol.EXECUTE,
        "argv": list(action.command),
        "env": dict(env),
        "seconds": LONGEST_SECONDS,
    }
    try:
        writer.write(json.dumps(request).encode() + b"\n")
        await writer.drain()
        while line := await reader.readline():
            told = json.loads(line)
            if told.get("event") == protocol.EXECUTED_EVENT:
                code = told["code"]
                return Answer(ok=code == 0, detail=f"{action.command[0]} exited with code {code}")
            if told.get("ok") is False:
                return Answer(ok=False, detail=str(told.get("message")))
    finally:
        writer.close()
    return Answer(ok=False, detail="its slot has ended")
