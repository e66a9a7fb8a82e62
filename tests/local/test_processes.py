"""Nothing that the launcher started outlives it, whatever the processes do."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local import processes
from local.processes import ProcessFailedError, Supervisor, members

IDLE = "import time; time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); {IDLE}"
CHILD_IN_ITS_OWN_GROUP = f"import os, subprocess, sys; os.setpgid(0, 0); {IDLE}"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {CHILD_IN_ITS_OWN_GROUP!r}]); {IDLE}"


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(processes, "_GRACE_SECONDS", 0.5)
    monkeypatch.setattr(processes, "_LAST_SECONDS", 0.5)
    running = Supervisor(tmp_path / "logs", tmp_path / "processes.json")
    yield running
    running.stop()


def start(supervisor: Supervisor, program: str, name: str = "program") -> int:
    supervisor.start(name, [sys.executable, "-c", program], os.environ)
    return supervisor.running[name].pid


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


def test_process_that_ignores_term_is_killed(supervisor: Supervisor) -> None:
    session = start(supervisor, DEAF)
    wait(lambda: "up" in (supervisor.log_folder / "program.log").read_text())
    supervisor.stop()
    assert not members(session)


def test_child_with_a_group_of_its_own_is_stopped(supervisor: Supervisor) -> None:
    session = start(supervisor, PARENT)
    wait(lambda: len(members(session)) == 2)
    supervisor.stop()
    assert not members(session)


def test_child_of_a_killed_process_is_stopped(supervisor: Supervisor) -> None:
    session = start(supervisor, PARENT)
    wait(lambda: len(members(session)) == 2)
    os.kill(session, signal.SIGKILL)
    supervisor.running["program"].wait(10)
    with pytest.raises(ProcessFailedError, match="program ended with status -9"):
        supervisor.check()
    supervisor.stop()
    assert not members(session)


@pytest.mark.parametrize(("with_children", "left"), [(True, 0), (False, 1)])
def test_what_a_process_started_is_killed_with_it_or_lives_until_all_is_stopped(
    supervisor: Supervisor, with_children: bool, left: int
) -> None:
    session = start(supervisor, PARENT)
    wait(lambda: len(members(session)) == 2)
    supervisor.kill("program", with_children=with_children)
    wait(lambda: len(members(session)) == left)
    supervisor.check()
    supervisor.stop()
    assert not members(session)


def test_leftovers_of_a_killed_launcher_are_stopped(supervisor: Supervisor) -> None:
    session = start(supervisor, PARENT)
    wait(lambda: len(members(session)) == 2)
    Supervisor(supervisor.log_folder, supervisor.record).stop_leftovers()
    assert not members(session)
    assert supervisor.record is not None
    assert not supervisor.record.exists()


def test_process_with_a_reused_number_is_left_alone(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(processes, "_started", lambda _pid: "before")
        session = start(supervisor, IDLE)
    Supervisor(supervisor.log_folder, supervisor.record).stop_leftovers()
    assert members(session) == {session}


def test_damaged_record_does_not_stop_the_next_start(supervisor: Supervisor) -> None:
    assert supervisor.record is not None
    supervisor.record.write_text("{")
    supervisor.stop_leftovers()
    assert not supervisor.record.exists()


def test_signal_that_arrives_while_a_process_starts_is_not_lost(supervisor: Supervisor) -> None:
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: received.append(number))
    try:
        with processes._signals_deferred():
            signal.raise_signal(signal.SIGTERM)
            assert received == []
    finally:
        signal.signal(signal.SIGTERM, before)
    assert received == [signal.SIGTERM]
