"""Kill agents, shims, engines and what engines start, again and again, and count the harm done.

Each engine forks children in sessions of their own and orphans. The agents here are the agent's own
supervision of engines without an API server, forked off ready-made, so that thousands of kills take
minutes. Some die at a numbered effect of their own, the rest at any moment.

This process is a subreaper: whatever the shims lose becomes its child, so that an orphan shows
whatever it did to its environment and its session. Bystanders note every signal that they get.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from harness.figures import options, report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from llmaz.agent.engines.launch import shim_lives
from llmaz.api.fingerprint import fingerprint
from llmaz.api.node import AssignedEngine
from llmaz.shim import crash, journal, proc
from support.engines import TREE, Node, assigned, engines

ENGINES = 4
BYSTANDERS = 4
KILLS_A_CHECK = 50
LONGEST_PAUSE_SECONDS = 0.12
AGENT_EFFECTS = 15
VICTIMS = ("agent", "agent", "shim", "engine", "descendant")
CLEARED_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1
_NOTING = """
import os, signal, sys
def note(number, frame):
    open(sys.argv[1], "a").write(f"{number} ")
for number in range(1, 65):
    if number not in (9, 17, 19, 32, 33):
        signal.signal(number, note)
print(flush=True)
while True:
    signal.pause()
"""


class Bystanders:
    """Processes that nobody may signal."""

    def __init__(self, folder: Path) -> None:
        self._notes = [folder / f"bystander-{index}" for index in range(BYSTANDERS)]
        self._all = [self._begin(note) for note in self._notes]

    @property
    def pids(self) -> set[int]:
        return {process.pid for process in self._all}

    def harmed(self) -> int:
        """Count the signals that were noted, and those that left nobody to note them."""
        noted = sum(len(note.read_text().split()) for note in self._notes if note.exists())
        return noted + sum(process.poll() is not None for process in self._all)

    def end(self) -> None:
        for process in self._all:
            process.kill()
            process.wait()

    @staticmethod
    def _begin(note: Path) -> "subprocess.Popen[bytes]":
        argv = (sys.executable, "-I", "-S", "-c", _NOTING, str(note))
        process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.read(1)
        return process


class Chaos:
    """One node that is not left in peace."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._state = folder / "state"
        self._state.mkdir()
        self._wish = folder / "assigned"
        self._random = random.Random(seed)
        self._agent: int | None = None
        self._edition = 0
        self._known: dict[str, proc.Process] = {}  # engines that must go on
        self._doomed: set[proc.Process] = set()  # those that may be dying of what was done to them
        self._last: dict[str, str] = {}  # what was done to each engine last
        self.bystanders = Bystanders(folder)
        self.kills = 0
        self.failures = 0
        self.needless = 0
        self.seen: set[proc.Process] = set()  # engines that were watched
        self.orphans = 0

    def run(self, kills: int) -> None:
        """Kill that many times; after some of them everything has to come to its end."""
        while self.kills < kills:
            self._assign(ENGINES)
            until = self.kills + KILLS_A_CHECK
            while self.kills < until:
                self._turn()
            self._assign(0)
            self._clear()
        self.bystanders.end()

    def _turn(self) -> None:
        self._live()
        time.sleep(self._random.uniform(0, LONGEST_PAUSE_SECONDS))
        self._reap()
        self._judge()
        if self._random.random() < 0.1:
            self._assign(self._random.randint(1, ENGINES))
        self._kill(self._random.choice(VICTIMS))

    def _live(self) -> None:
        """Have an agent; a third of them have an effect of their own to die at."""
        if self._agent is not None:
            return
        at = (
            f"agent:{self._random.randint(1, AGENT_EFFECTS)}" if self._random.random() < 0.3 else ""
        )
        self._agent = os.fork()
        if self._agent == 0:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            try:
                asyncio.run(_supervise(self._state, self._wish, at))
            except BaseException:  # whatever it is, this process never goes on as the other one
                traceback.print_exc()
            finally:
                os._exit(1)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._agent:
                    self._agent = None
                    self.failures += os.WIFEXITED(status)  # by itself, which no agent does
                    self.kills += os.WIFSIGNALED(status)  # at its effect

    def _kill(self, kind: str) -> None:
        name = f"fake-{self._random.randrange(ENGINES)}"
        record = journal.read(str(self._directory(name))) or {}
        victim: proc.Process | None = None
        match kind:
            case "agent":
                victim = self._agent_process()
            case "shim":
                victim = _process(record.get("shim"))
            case "engine":
                victim = _process(record.get("engine"))
            case _:
                shim = _process(record.get("shim"))
                found = proc.descendants(shim[0]) if shim is not None else []
                victim = self._random.choice(found) if found else None
        if victim is None:
            return
        if proc.send(victim, signal.SIGKILL):
            self.kills += 1
        if kind != "agent":
            # What the shim wrote between the look and the kill dies of this kill as well.
            now = journal.read(str(self._directory(name))) or {}
            hit = {victim, _process(record.get("engine")), _process(now.get("engine"))}
            self._doomed |= {process for process in hit if process is not None}
            self._known.pop(name, None)
            self._last[name] = f"{kind} {victim} killed as the journal said {record}, then {now}"

    def _agent_process(self) -> proc.Process | None:
        started = proc.start_time(self._agent) if self._agent is not None else None
        return None if self._agent is None or started is None else (self._agent, started)

    def _assign(self, count: int) -> None:
        """Wish for other engines; each edition of one is another process."""
        self._edition += 1
        self._known.clear()
        beside = self._wish.with_suffix(".new")
        beside.write_text(json.dumps([self._edition, count]))
        beside.rename(self._wish)

    def _judge(self) -> None:
        """Find engines that ended though nothing was done to them; note those that run now."""
        for name, known in list(self._known.items()):
            if not proc.alive(known):
                self.needless += 1
                print(f"{name}: {known} has ended by itself; before: {self._last.get(name)}")
                del self._known[name]
        for index in range(ENGINES):
            name = f"fake-{index}"
            record = journal.read(str(self._directory(name))) or {}
            engine = _process(record.get("engine"))
            current = record.get("fingerprint") == fingerprint(_engine(index, self._edition))
            if engine is None or engine in self._doomed or not current:
                continue
            if proc.alive(engine):
                self._known.setdefault(name, engine)
                self.seen.add(engine)

    def _clear(self) -> None:
        """Let agents live in peace until no engine is left, then count what is left."""
        deadline = time.monotonic() + CLEARED_SECONDS
        while any((self._state / "engines").iterdir()) and time.monotonic() < deadline:
            self._live()
            time.sleep(0.02)
            self._reap()
        if (agent := self._agent_process()) is not None:
            proc.send(agent, signal.SIGKILL)
            os.waitpid(agent[0], 0)
            self._agent = None
        left = self._left()
        while left and time.monotonic() < deadline:  # a shim that was dismissed, a spare one
            time.sleep(0.02)
            self._reap()
            left = self._left()
        self.orphans += len(left)
        for process in left:
            proc.send(process, signal.SIGKILL)

    def _left(self) -> list[proc.Process]:
        mine = proc.descendants(os.getpid())
        return [process for process in mine if process[0] not in self.bystanders.pids]

    def _directory(self, name: str) -> Path:
        return self._state / "engines" / f"default_{name}"


def _process(pair: object) -> proc.Process | None:
    return (pair[0], pair[1]) if isinstance(pair, list) else None


def _engine(index: int, edition: int) -> AssignedEngine:
    """Return an engine; that of another edition has to be another process."""
    return assigned(f"fake-{index}", *TREE, "--crash-text", str(edition))


async def _supervise(state: Path, wish: Path, crash_at: str) -> None:
    """Live as an agent does: look at the wish and at the engines, decide, act."""
    environ = {**os.environ, crash.VARIABLE: crash_at}
    async with engines(state, environ=environ) as under:
        await under.prepare()
        node = Node(under)
        while True:
            edition, count = json.loads(wish.read_text())
            node.assigned = tuple(_engine(index, edition) for index in range(count))
            await node.step()
            try:
                async with asyncio.timeout(0.05):
                    await under.changed.wait()
            except TimeoutError:
                continue


def main() -> None:
    quick = options(__doc__ or "").quick
    seed = 20 if quick else int(time.time())
    started = time.monotonic()
    proc.become_subreaper()
    with tempfile.TemporaryDirectory(prefix="llmaz-bench-") as folder:
        chaos = Chaos(Path(folder), seed)
        chaos.run(200 if quick else 10_000)
        shims = [d for d in (Path(folder) / "state/engines").iterdir() if shim_lives(d)]
        report(
            kills=chaos.kills,
            orphans=chaos.orphans,
            wrong_signals=chaos.bystanders.harmed() - BYSTANDERS,
            needless_restarts=chaos.needless,
            engines=len(chaos.seen),
            shims_left=len(shims),
            agent_failures=chaos.failures,
            seed=seed,
            seconds=time.monotonic() - started,
        )


if __name__ == "__main__":
    main()
