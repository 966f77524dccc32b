"""What a shim and an agent of different versions agree on.

Both sides write one JSON object a line. A request is `{"v": 1, "id": n, "op": ..., ...}`; its
answer is `{"v": 1, "id": n, "ok": true, ...}` or `{"v": 1, "id": n, "ok": false, "error": code,
"message": ...}`. After `watch` the shim also sends `{"v": 1, "event": ..., "status": {...}}`. A
field that one side does not know is passed over; a meaning never changes within a version.
"""

VERSION = 1
SUPPORTED = (1,)  # versions of requests that this shim understands

SOCKET = "shim.sock"  # in the engine's directory, which is the shim's working directory
LOCK = "shim.lock"  # held (flock) as long as the shim lives: the proof that it is dead is to get it
JOURNAL = "shim.json"
LOG = "engine.log"  # the output of this run; engine.1.log and engine.2.log are of the runs before
SHIM_LOG = "shim.log"
FORMER_RUNS = 2
LOG_ROTATE_BYTES = 64 * 1024 * 1024
TAIL_BYTES = 64 * 1024
MAX_REQUEST_BYTES = 4 * 1024 * 1024

# In the environment of an engine and so of all that it starts: by it a new shim knows what a dead
# one left.
MARK = "LLMAZ_SHIM_MARK"

# Operations.
START = "start"  # epoch, fingerprint, argv, env, cwd, limits, rlimits
STOP = "stop"  # grace, signal
SIGNAL = "signal"  # signal, by number
STATUS = "status"
LOGS = "logs"  # run (0 this one, 1 and 2 before), offset, limit
WATCH = "watch"
SHUTDOWN = "shutdown"
WARM = "warm"  # paths, rate: weights to read ahead for the engine that runs
DRAIN = "drain"  # of a slot: it is about to end
READY = "ready"  # of a slot: whether its engine answers requests, as the agent found
EXECUTE = "execute"  # of a slot: argv, env, seconds: a command beside the engine

# States of the engine in a status.
IDLE = "idle"  # none was started yet
STARTING = "starting"
RUNNING = "running"
STOPPING = "stopping"
EXITED = "exited"

LIVING = (STARTING, RUNNING, STOPPING)

# Events of a watch.
STARTED_EVENT = "started"
STOPPING_EVENT = "stopping"
EXITED_EVENT = "exited"  # the engine itself has ended
CLEAR_EVENT = "clear"  # and none of its descendants is left

DRAIN_EVENT = "drain"
EXECUTED_EVENT = "executed"  # the command of this connection: its exit code

SHIM_KILLED = "its shim was killed"  # the error of an exit that no shim saw

# Errors.
BAD_REQUEST = "bad-request"
BAD_VERSION = "bad-version"
STALE_EPOCH = "stale-epoch"
BUSY = "busy"  # an engine, or what it left, still lives
NOT_RUNNING = "not-running"
JOURNAL_FAILED = "journal-failed"  # the intent can't be written, so nothing was done
EXEC_FAILED = "exec-failed"
DRAINING = "draining"


class Refused(Exception):  # an answer to a request, not a fault
    """A request that is not carried out: a code for programs and a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
