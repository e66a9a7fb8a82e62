"""Imports the heavy modules of the enrichment in a Celery worker, before it forks its pool.

``airflow celery worker`` loads no plugin. What it loads, as every Airflow process does when it starts, are entry points
of the group ``airflow.policy``. ``flakebench_enrichment.dist-info`` beside this file declares one, and is found because
Airflow puts the plugins folder on the import path. So this module is imported by *every* Airflow process, and while
Airflow itself is being imported: it does nothing unless the process is a Celery worker, and imports nothing of Airflow.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def preload(**_signal: Any) -> None:
    """Import what tasks need; a receiver of Celery's signal ``import_modules``, sent before the pool is forked."""
    from include.enrichment.preload import preload as import_modules

    import_modules()


def is_celery_worker(command_line: list[str]) -> bool:
    """Whether it is the command line of ``airflow celery worker``, or of ``celery worker`` itself."""
    program, *arguments = command_line or [""]
    return "worker" in arguments and "celery" in (Path(program).name, *arguments[:1])


if is_celery_worker(sys.argv):
    from celery.signals import import_modules

    import_modules.connect(preload)
