import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys
from llmaz.daemon import shutdown
async def main():
    stop = shutdown.requested(lifeline="--lifeline" in sys.argv)
    print("ready", flush=True)
    await stop.wait()
    print("stopped", flush=True)
asyncio.run(main())
"""


def start(*arguments: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_for_the_end(number: signal.Signals) -> None:
    process = start("--lifeline")
    process.send_signal(number)
    assert process.communicate(timeout=120)[0] == b"stopped\n"


def test_the_end_of_the_lifeline_asks_for_the_end() -> None:
    process = start("--lifeline")
    assert process.communicate(timeout=120)[0] == b"stopped\n"


def test_without_a_lifeline_the_end_of_standard_input_means_nothing() -> None:
    process = start()
    assert process.stdin is not None
    process.stdin.close()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.terminate()
    assert process.stdout is not None
    assert process.stdout.read() == b"stopped\n"
    process.stdout.close()
    assert process.wait(120) == 0
