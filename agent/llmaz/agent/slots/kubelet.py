"""Tells the agent which devices the kubelet gave to a pod: `python -m llmaz.agent.slots.kubelet`.

The kubelet's PodResources socket is for root alone, and an agent is not root. This is a container
of its own beside it: root without any capability, which answers one question and no other. A line
`{"namespace": ..., "pod": ...}` is answered by a line `{"devices": {resource: [id, ...]}}`, null
where the kubelet knows no such pod, or `{"error": ...}`.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from llmaz.agent.slots.podresources import WireError, devices_of
from llmaz.daemon import logs, shutdown

logger = logging.getLogger(__name__)

KUBELET = Path("/var/lib/kubelet/pod-resources/kubelet.sock")
_LIST = "/v1.PodResourcesLister/List"
_MOST_BYTES = 16 << 20  # as the kubelet's own clients allow
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Teller:
    """Answers from one kubelet."""

    kubelet: Path

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                asked = await reader.readline()
            said = await self._about(asked)
            writer.write(json.dumps(said).encode() + b"\n")
            await writer.drain()
        except (OSError, TimeoutError, ValueError):  # who asked has gone, or asks too much
            pass
        finally:
            writer.close()

    async def _about(self, asked: bytes) -> dict[str, object]:
        try:
            question = json.loads(asked)
            namespace, pod = str(question["namespace"]), str(question["pod"])
        except (ValueError, KeyError, TypeError):
            return {"error": "the question is not understood"}
        try:
            answer = await asyncio.to_thread(self._list)
            return {"devices": devices_of(answer, namespace, pod)}
        except grpc.RpcError as error:
            logger.warning("the kubelet does not answer: %s", _words(error))
            return {"error": f"{self.kubelet}: {_words(error)}"}
        except WireError as error:
            return {"error": f"{self.kubelet}: {error}"}

    def _list(self) -> bytes:
        # Of its own, not shared: a kubelet that was away a moment ago is asked without a pause.
        alone = ("grpc.use_local_subchannel_pool", 1)
        options = [("grpc.max_receive_message_length", _MOST_BYTES), alone]
        with grpc.insecure_channel(f"unix://{self.kubelet}", options=options) as channel:
            call = channel.unary_unary(_LIST, request_serializer=bytes, response_deserializer=bytes)
            answer: bytes = call(b"", timeout=_SECONDS)
            return answer


def _words(error: "grpc.RpcError") -> str:
    if isinstance(error, grpc.Call):
        return f"{error.code().name}: {error.details()}"
    return str(error)


def main(argv: Sequence[str]) -> int:
    """Serve until the pod ends."""
    parser = argparse.ArgumentParser(prog="llmaz.agent.slots.kubelet", description=__doc__)
    parser.add_argument("--kubelet", type=Path, default=KUBELET, help="its PodResources socket")
    parser.add_argument("--listen", type=Path, required=True, help="the socket for the agent")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    options = parser.parse_args(argv)
    logs.configure(options.log_format)
    options.listen.unlink(missing_ok=True)
    os.umask(0)  # whoever sees the socket may ask: it lies in a directory of the agent's pod
    asyncio.run(_run(Teller(options.kubelet), options.listen))
    return 0


async def _run(teller: Teller, listen: Path) -> None:
    stop = shutdown.requested()
    async with await asyncio.start_unix_server(teller.answer, listen):
        logger.info("telling what %s gave to pods", teller.kubelet)
        await stop.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
