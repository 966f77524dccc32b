"""When a program shall end: SIGTERM, SIGINT, or the end of the process that holds its lifeline."""

import asyncio
import os
import signal
import threading


def requested(*, lifeline: bool = False) -> asyncio.Event:
    """Return the event that is set when the program shall end. Call it inside the event loop.

    With `lifeline`, the end of standard input counts as well: a parent which holds the other end
    of that pipe takes its children with it, however it dies.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if lifeline:
        # A thread, because standard input may be a file, which an event loop can't wait for.
        arguments = (loop, stop)
        threading.Thread(target=_watch, args=arguments, name="lifeline", daemon=True).start()
    return stop


def _watch(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(0, 4096):
        pass
    if not loop.is_closed():
        loop.call_soon_threadsafe(stop.set)
