"""One engine from start to the proof that nothing of it is left.

Every act is journaled before it is done. An engine ends when its first process does: what that one
leaves behind is killed at once, and a next start waits until the last of it is gone.
"""

import os
import signal
import time

from llmaz.shim import cgroup, journal, proc, protocol, readahead
from llmaz.shim.crash import Effects
from llmaz.shim.output import Output
from llmaz.shim.protocol import Refused
from llmaz.shim.spawn import Spec, spawn

SNAPSHOT_SECONDS = 5.0
_FREEZE_ROUNDS = 20  # how often to look for newcomers while the tree is being stopped


class Engine:
    """The engine of this shim; `step` is called when something may have happened."""

    def __init__(self, mark: str, output: Output, effects: Effects) -> None:
        self._output = output
        self._effects = effects
        self._mark = mark
        self._main: proc.Process | None = None
        self._cgroup: str | None = None
        self._deadline: float | None = None  # of a stop, monotonic
        self._next_snapshot = 0.0
        self._memory_kills = 0
        self._clear = True
        self._unsaved = False
        self._pending: list[str] = []
        self.record: journal.Record = {
            "v": protocol.VERSION,
            "mark": mark,
            "boot": proc.boot_id(),
            "shim": [os.getpid(), proc.start_time(os.getpid())],
            "state": protocol.IDLE,
            "run": 0,
            "epoch": 0,
            "fingerprint": "",
            "reaped": 0,
        }

    @property
    def alive(self) -> bool:
        """Whether the engine, or anything that it left behind, may still live."""
        return not self._clear

    def recover(self, former: journal.Record) -> None:
        """Take over from a shim that died: kill what it left, and prove that it is gone.

        Its engine was killed by the kernel with it (a parent's death signal). What that engine had
        started is known by the mark in its environment, by its cgroup, and by (pid, start time)
        where the boot is the same.
        """
        for key in ("run", "epoch", "fingerprint", "started_at", "exit"):
            if key in former:
                self.record[key] = former[key]
        state = former.get("state")
        self.record["state"] = protocol.EXITED if self.record["run"] else protocol.IDLE
        if former.get("boot") == self.record["boot"]:
            self.record["reaped"] = self._kill_leftovers(former)
        if state in (protocol.STARTING, protocol.RUNNING, protocol.STOPPING):
            asked = state == protocol.STOPPING
            self.record["exit"] = _exit(asked=asked, error="" if asked else protocol.SHIM_KILLED)
        self._save()

    def start(self, spec: Spec, *, epoch: int, fingerprint: str, limits: dict[str, int]) -> None:
        """Start a run. Doing it twice with the same fingerprint is safe: it is found running."""
        known = _number(self.record["epoch"])
        if epoch < known:
            raise Refused(protocol.STALE_EPOCH, f"epoch {epoch} is older than {known}")
        if self.record["state"] == protocol.RUNNING and (epoch, fingerprint) == (
            known,
            self.record["fingerprint"],
        ):
            return
        if self.alive:
            raise Refused(protocol.BUSY, f"run {self.record['run']} has not ended")
        former = dict(self.record)
        run = _number(self.record["run"]) + 1
        self.record |= {"run": run, "epoch": epoch, "fingerprint": fingerprint}
        self.record |= {"state": protocol.STARTING, "started_at": time.time()}
        self.record |= {"exit": None, "engine": None, "descendants": [], "reaped": 0}
        path = self.record["cgroup"] = cgroup.place(f"llmaz-{self._mark}-{run}")
        self._save_intent(former)
        made = path is not None and cgroup.create(path, limits, self._effects)
        self._cgroup = path if made else None
        self._memory_kills = cgroup.memory_kills(self._cgroup)
        self._spawn(spec)
        self.record["state"] = protocol.RUNNING
        self._save()
        self._pending.append(protocol.STARTED_EVENT)

    def _spawn(self, spec: Spec) -> None:
        spec.env[protocol.MARK] = self._mark
        sink = self._output.begin()
        self._effects.announce("fork the engine")
        try:
            pid = spawn(spec, sink, self._cgroup)
        except OSError as error:
            message = f"{error.filename}: {error.strerror}"
            if self._cgroup is not None:
                cgroup.remove(self._cgroup)
            self.record |= {"state": protocol.EXITED, "exit": _exit(error=message)}
            self._save()
            raise Refused(protocol.EXEC_FAILED, message) from None
        finally:
            os.close(sink)
        self._clear = False
        self._deadline = None
        self._next_snapshot = 0.0
        self._main = (pid, proc.start_time(pid) or 0)
        self.record["engine"] = list(self._main)

    def stop(self, *, grace: float, number: int) -> None:
        """Signal the engine; kill it and all its descendants when it lives on after `grace`."""
        if self._main is None:
            return
        deadline = time.monotonic() + grace
        first = self.record["state"] != protocol.STOPPING
        self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)
        if first:
            self.record["state"] = protocol.STOPPING
            self._save()  # unlike a start, a stop is carried out on a full disk as well
            self._pending.append(protocol.STOPPING_EVENT)
            self._effects.announce("signal the engine")
            proc.send(self._main, number)

    def signal(self, number: int) -> None:
        """Send a signal to the engine's first process."""
        if self._main is None:
            raise Refused(protocol.NOT_RUNNING, "the engine does not run")
        self._effects.announce("signal the engine")
        proc.send(self._main, number)

    def warm(self, paths: list[str], rate: int) -> None:
        """Read weights ahead for the engine, `rate` bytes a second at most."""
        if self._main is None:
            raise Refused(protocol.NOT_RUNNING, "the engine does not run")
        self._effects.announce("fork the reader")
        readahead.begin(paths, rate, self._cgroup)

    def step(self) -> list[str]:
        """Reap, enforce the deadline, sweep, and note the descendants; return what happened."""
        self._output.pump()
        self._reap()
        now = time.monotonic()
        if self._main is not None:
            if self._deadline is not None and now >= self._deadline:
                self._kill_descendants()
            elif now >= self._next_snapshot:
                self._next_snapshot = now + SNAPSHOT_SECONDS
                self._note_descendants()
        elif self.alive:
            self._sweep()
        if self._unsaved:
            self._save()
        events, self._pending = self._pending, []
        return events

    def wait_seconds(self) -> float:
        """How long `step` may be put off when nothing happens."""
        if self._main is None:
            return 0.01 if self.alive else 3600.0
        until = self._next_snapshot
        if self._deadline is not None:
            until = min(until, self._deadline)
        return max(0.01, until - time.monotonic())

    def status(self) -> dict[str, object]:
        """Return the journal's record and what is only known in memory."""
        return {
            **self.record,
            "clear": self._clear,
            "log_bytes": self._output.written,
            "log_error": self._output.error,
        }

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._main is not None and pid == self._main[0]:
                self._ended(os.waitstatus_to_exitcode(status))

    def _ended(self, code: int) -> None:
        asked = self.record["state"] == protocol.STOPPING
        killed = code == -signal.SIGKILL and not asked
        oom = killed and cgroup.memory_kills(self._cgroup) > self._memory_kills
        self._main = None
        self._deadline = None
        self._output.pump()
        self.record |= {"state": protocol.EXITED, "exit": _exit(code, asked=asked, oom=oom)}
        self._save()
        self._pending.append(protocol.EXITED_EVENT)
        self._sweep()

    def _sweep(self) -> None:
        self._kill_descendants()
        self._reap()
        if proc.descendants(os.getpid()) or (self._cgroup and cgroup.populated(self._cgroup)):
            return
        if self._cgroup is not None:
            self._effects.announce("remove the cgroup")
            cgroup.remove(self._cgroup)
        self._output.close()
        self._clear = True
        self.record["descendants"] = []
        self._pending.append(protocol.CLEAR_EVENT)

    def _kill_descendants(self) -> None:
        """Stop the whole tree first, so that nothing in it can fork away, then kill it."""
        if self._cgroup is not None:
            self._effects.announce("kill the cgroup")
            cgroup.kill(self._cgroup)
        stopped: set[proc.Process] = set()
        for _ in range(_FREEZE_ROUNDS):
            newcomers = [p for p in proc.descendants(os.getpid()) if p not in stopped]
            if not newcomers:
                break
            for process in newcomers:
                proc.send(process, signal.SIGSTOP)
            stopped.update(newcomers)
        for process in proc.descendants(os.getpid()):
            self._effects.announce("kill a descendant")
            proc.send(process, signal.SIGKILL)

    def _kill_leftovers(self, former: journal.Record) -> int:
        """Kill what a dead shim left until nothing of it is there; return how many were seen."""
        path = former.get("cgroup")
        mark = f"{protocol.MARK}={self._mark}".encode()
        known = _processes(former.get("descendants")) + _processes([former.get("engine")])
        seen: set[proc.Process] = set()
        while True:
            left = {*proc.marked(mark), *(process for process in known if proc.alive(process))}
            if isinstance(path, str):
                self._effects.announce("kill the cgroup")
                cgroup.kill(path)
            for process in left:
                self._effects.announce("kill a leftover")
                proc.send(process, signal.SIGKILL)
            seen |= left
            if not left and not (isinstance(path, str) and cgroup.populated(path)):
                break
            time.sleep(0.005)
        if isinstance(path, str):
            cgroup.remove(path)
        return len(seen)

    def _note_descendants(self) -> None:
        """Journal who descends from the engine: some rewrite their environment (setproctitle)."""
        below = [list(process) for process in proc.descendants(os.getpid())]
        if below != self.record.get("descendants"):
            self.record["descendants"] = below
            self._unsaved = True

    def _save_intent(self, former: journal.Record) -> None:
        """Write what is about to be done; what can't be written is not done."""
        try:
            journal.write(self.record, self._effects)
        except OSError as error:
            self.record = former
            message = f"{protocol.JOURNAL}: {error.strerror}"
            raise Refused(protocol.JOURNAL_FAILED, message) from None

    def _save(self) -> None:
        """Write what has happened already; a full disk delays that and stops nothing."""
        try:
            journal.write(self.record, self._effects)
            self._unsaved = False
        except OSError:
            self._unsaved = True


def _exit(
    code: int | None = None, *, asked: bool = False, oom: bool = False, error: str = ""
) -> journal.Record:
    killer = None if code is None or code >= 0 else -code
    return {
        "code": code if killer is None else None,
        "signal": killer,
        "oom": oom,
        "asked": asked,
        "error": error,
        "at": time.time(),
    }


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _processes(pairs: object) -> list[proc.Process]:
    if not isinstance(pairs, list):
        return []
    return [(pair[0], pair[1]) for pair in pairs if isinstance(pair, list) and len(pair) == 2]
