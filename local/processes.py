"""Processes that the launcher starts, and their certain end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

_GRACE_SECONDS = 10.0
_LAST_SECONDS = 3.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ProcessFailedError(Exception):
    """A process that should run has ended."""


class StoppedError(Exception):
    """Ctrl-C, SIGTERM, or the terminal is gone."""


@dataclass
class Supervisor:
    """Starts processes, each in a session of its own, and stops all of them with everything they started.

    What a process starts stays in its session, whatever process group it moves to and whoever dies first: Airflow's
    tasks have groups of their own, and lose their parent when a scheduler is killed.

    :param log_folder: one log file per process
    :param record: file that remembers the sessions, for :meth:`stop_leftovers` after a launcher was killed
    """

    log_folder: Path
    record: Path | None = None
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _orphaned: list[int] = field(default_factory=list)

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a process; its output goes to ``<log_folder>/<name>.log``. Only from the main thread."""
        self.log_folder.mkdir(parents=True, exist_ok=True)
        with (self.log_folder / f"{name}.log").open("wb") as log, _signals_deferred():
            self.running[name] = subprocess.Popen(
                command,
                env=dict(environment),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._remember()

    def check(self) -> None:
        """Raise when a process has ended.

        :raises ProcessFailedError: naming the process and quoting the end of its log
        """
        for name, process in self.running.items():
            if process.poll() is not None:
                log = self.log_folder / f"{name}.log"
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise ProcessFailedError(f"{name} ended with status {process.returncode}; the end of {log}:\n{tail}")

    def stop(self) -> None:
        """Stop everything, the last started first, so that what others depend on is there to the end."""
        for process in reversed(self.running.values()):
            _end(process.pid)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
        for leader in self._orphaned:
            _end(leader)
        self.running.clear()
        if self.record is not None:
            self.record.unlink(missing_ok=True)

    def kill(self, name: str, *, with_children: bool = True) -> None:
        """SIGKILL a process, as the kernel does when memory runs out, so that another may start in its place.

        :param with_children: and everything it started; otherwise what it started lives on, until :meth:`stop`
        """
        process = self.running.pop(name)
        _signal(members(process.pid) if with_children else {process.pid}, signal.SIGKILL)
        process.wait()
        self._orphaned.append(process.pid)

    def stop_leftovers(self) -> None:
        """Stop what an earlier launcher, itself killed, left running."""
        if self.record is None or not self.record.exists():
            return
        with contextlib.suppress(ValueError, KeyError, TypeError):
            known = json.loads(self.record.read_text())
            if known["boot"] == _boot():
                for leader, started in reversed(known["sessions"]):
                    # a leader of another age is somebody else's process with a reused number
                    if _stat(leader) is None or _started(leader) == started:
                        _end(leader)
        self.record.unlink()

    def _remember(self) -> None:
        if self.record is not None:
            sessions = [(process.pid, _started(process.pid)) for process in self.running.values()]
            self.record.write_text(json.dumps({"boot": _boot(), "sessions": sessions}))


def stop_on_signals() -> None:
    """Let a stop signal raise :class:`StoppedError` once, so that what this process started is stopped with it."""
    for number in _STOP_SIGNALS:
        signal.signal(number, _stop)


def _stop(_number: int, _frame: FrameType | None) -> None:
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave processes behind
    print("\nStopping ...", flush=True)
    raise StoppedError


def members(session: int) -> set[int]:
    """Process ids of a session that still run, by ``/proc``."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))) and stat[0] != "Z" and int(stat[3]) == session:
            found.add(int(entry.name))
    return found


def _end(leader: int) -> None:
    """TERM the leader, which ends its own; then TERM whatever is left of its session; then KILL."""
    _signal({leader} & members(leader), signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while leader in members(leader) and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal(members(leader), signal.SIGTERM)
    deadline = time.monotonic() + _LAST_SECONDS
    while left := members(leader):
        if time.monotonic() > deadline:
            _signal(left, signal.SIGKILL)
        time.sleep(0.05)


def _stat(pid: int) -> list[str] | None:
    """The fields of ``/proc/<pid>/stat`` from the state on."""
    try:
        # the command name before it, in parentheses, may hold anything
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _started(pid: int) -> str | None:
    """When a process started, in clock ticks since the boot; tells two owners of one number apart."""
    stat = _stat(pid)
    return stat[19] if stat else None


def _boot() -> str:
    return _BOOT_ID.read_text().strip()


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


@contextlib.contextmanager
def _signals_deferred() -> Iterator[None]:
    """Let a stop signal wait until a started process is known; between fork and assignment it would be lost."""
    received: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    before = {number: signal.signal(number, remember) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])
