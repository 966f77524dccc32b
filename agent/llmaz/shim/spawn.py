"""Start an engine: a fork, and before the exec all that makes the child safe to let go."""

import errno
import os
import resource
import signal

from llmaz.shim import cgroup, proc

_FAILED = 127


class Spec:
    """What to start. Arguments and variables are kept in memory only."""

    __slots__ = ("argv", "cwd", "env", "rlimits")

    def __init__(
        self, *, argv: list[str], env: dict[str, str], cwd: str, rlimits: dict[str, int]
    ) -> None:
        self.argv = argv
        self.env = env
        self.cwd = cwd
        self.rlimits = rlimits


def spawn(spec: Spec, output: int, cgroup_path: str | None) -> int:
    """Start the engine with `output` as its standard output and error; return its pid.

    Raises OSError when the program can't be executed as it was asked for, with its name.
    """
    told, tell = os.pipe()  # closed by a successful exec, else it carries the error
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError as error:
        os.close(told)
        os.close(tell)
        raise OSError(error.errno, error.strerror, "fork") from None
    if pid == 0:
        try:
            os.close(told)
            _become(spec, output, cgroup_path, parent)
        except OSError as error:
            os.write(tell, f"{error.errno or 0} {error.strerror}".encode())
        except (ArithmeticError, AttributeError, ValueError) as error:  # NUL in a text, odd limits
            os.write(tell, f"{errno.EINVAL} {error}".encode())
        finally:
            os._exit(_FAILED)
    os.close(tell)
    with os.fdopen(told, "rb") as pipe:
        failure = pipe.read().decode()
    if failure:
        os.waitpid(pid, 0)
        number, _, text = failure.partition(" ")
        raise OSError(int(number), text, spec.argv[0])
    return pid


def _become(spec: Spec, output: int, cgroup_path: str | None, parent: int) -> None:
    os.setsid()
    if not proc.die_with_parent(parent):
        os._exit(_FAILED)
    if cgroup_path is not None:
        cgroup.enter(cgroup_path)
    for number in range(1, signal.NSIG):  # Python ignores SIGPIPE, and exec passes that on
        if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
            signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for name, limit in spec.rlimits.items():
        _limit(getattr(resource, "RLIMIT_" + name.upper()), limit)
    os.umask(0o022)
    os.chdir(spec.cwd)
    proc.renounce_privileges()
    os.execvpe(spec.argv[0], spec.argv, spec.env)


def _limit(kind: int, amount: int) -> None:
    """Set a limit as near to `amount` as this user may."""
    hard = resource.getrlimit(kind)[1]
    allowed = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
    resource.setrlimit(kind, (allowed, allowed))
