"""What is imported before tasks are forked, in which processes, and that this is safe; each in a process of its own."""

from __future__ import annotations

import json
import logging
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from include.enrichment import preload

REPOSITORY = Path(__file__).parents[2]
EVERY_MODULE = sorted(
    f"include.enrichment.{path.stem}" for path in (REPOSITORY / "include/enrichment").glob("[!_]*.py")
)

START_COMPONENT = """
import json, sys
from airflow.listeners.listener import get_listener_manager
get_listener_manager().hook.on_starting(component=object())
print(json.dumps("snowflake.connector" in sys.modules))
"""

PARSE_AFTER_PRELOAD = """
import importlib, json, runpy, sys
import airflow.sdk.execution_time.supervisor
from include.enrichment.preload import preload
preload()
before = set(sys.modules)
for file in {files}:
    runpy.run_path(file)
for name in {modules}:
    importlib.import_module(name)
origins = {{name: getattr(sys.modules[name], "__file__", None) or "" for name in set(sys.modules) - before}}
print(json.dumps(sorted(name for name, origin in origins.items() if "site-packages" in origin)))
"""

STATE_AFTER_PRELOAD = """
import json, os, socket, stat, threading
from include.enrichment.preload import preload
def sockets():
    found = 0
    for number in os.listdir("/proc/self/fd"):
        try:
            found += stat.S_ISSOCK(os.stat(f"/proc/self/fd/{number}").st_mode)
        except OSError:  # that of the listing itself
            pass
    return found
before = sockets()
preload()
print(json.dumps([sockets() - before, threading.active_count()]))
"""

START_CELERY_WORKER = """
import json, sys
import airflow
from celery.signals import import_modules
early = "snowflake.connector" in sys.modules
for receiver in import_modules.receivers:
    receiver(sender=None, signal=import_modules)
print(json.dumps([len(import_modules.receivers), early, "snowflake.connector" in sys.modules]))
"""

CELERY_SIGNALS = """
class Signal:
    def __init__(self):
        self.receivers = []
    def connect(self, receiver):
        self.receivers.append(receiver)
import_modules = Signal()
"""

FORKS_NO_TASKS = """
from airflow.executors.base_executor import BaseExecutor
class RemoteExecutor(BaseExecutor):
    pass
"""


def _run(code: str, *arguments: str, path: Path | None = None, program: str = "-", **environment: str) -> Any:
    """What a Python process prints, with its command line as that of an Airflow component."""
    lines = f"import sys\nsys.argv = {[program, *arguments]!r}\n{code}"
    folders = [str(path)] if path else []
    completed = subprocess.run(
        [sys.executable, "-c", lines],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([*folders, str(REPOSITORY)]),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return json.loads(completed.stdout.splitlines()[-1])


def test_the_scheduler_imports_the_connector_before_its_executor_starts() -> None:
    assert _run(START_COMPONENT, "scheduler", program="airflow") is True


@pytest.mark.parametrize("component", ["api-server", "dag-processor"])
def test_no_other_component_imports_it(component: str) -> None:
    assert _run(START_COMPONENT, component, program="airflow") is False


def test_a_scheduler_whose_tasks_run_elsewhere_does_not_import_it(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.py").write_text(FORKS_NO_TASKS)
    executor = {"AIRFLOW__CORE__EXECUTOR": "elsewhere.RemoteExecutor"}
    assert _run(START_COMPONENT, "scheduler", program="airflow", path=tmp_path, **executor) is False


@pytest.fixture
def celery(tmp_path: Path) -> Path:
    """A stand-in for Celery's signals, which a deployment without Celery has not got."""
    (tmp_path / "celery").mkdir()
    (tmp_path / "celery" / "__init__.py").touch()
    (tmp_path / "celery" / "signals.py").write_text(CELERY_SIGNALS)
    return tmp_path


def test_a_celery_worker_imports_the_connector_when_it_imports_its_modules_and_not_before(celery: Path) -> None:
    assert _run(START_CELERY_WORKER, "celery", "worker", program="airflow", path=celery) == [1, False, True]


@pytest.mark.parametrize(
    ("command_line", "expected"),
    [
        ("/opt/airflow/bin/airflow celery worker --queues default", True),
        ("/opt/airflow/airflow/__main__.py celery worker", True),
        ("/opt/airflow/bin/celery -A airflow.providers.celery.executors.celery_executor.app worker", True),
        ("airflow celery flower", False),
        ("airflow scheduler", False),
        ("airflow dags test worker", False),
        ("", False),
    ],
)
def test_only_a_celery_worker_connects_to_its_signals(command_line: str, expected: bool) -> None:
    plugin = runpy.run_path(str(REPOSITORY / "plugins" / "flakebench_celery.py"))
    assert plugin["is_celery_worker"](command_line.split()) is expected


def test_after_it_no_dag_file_and_no_module_of_ours_imports_an_installed_package() -> None:
    files = [str(path) for path in sorted((REPOSITORY / "dags").glob("*.py"))]
    assert _run(PARSE_AFTER_PRELOAD.format(files=files, modules=EVERY_MODULE)) == []


def test_it_opens_no_socket_and_starts_no_thread() -> None:
    assert _run(STATE_AFTER_PRELOAD) == [0, 1]


def test_none_of_our_own_modules_is_imported_early() -> None:
    assert not [name for name in preload.MODULES if name.startswith("include")]


def test_a_module_that_cannot_be_imported_is_logged_and_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(preload, "MODULES", ("no_such_module", "colorsys"))
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with caplog.at_level(logging.WARNING, preload.__name__):
        preload.preload.__wrapped__()
    assert "colorsys" in sys.modules
    assert ["no_such_module" in record.getMessage() for record in caplog.records] == [True]
