"""A notifier as a deployment might have one of its own: it writes what it is given to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import BaseNotifier


class FileNotifier(BaseNotifier):
    """Appends a line per alert.

    :param path: of the file
    :param line: templated
    """

    template_fields = ("path", "line")

    def __init__(self, path: str, line: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.line = line

    def notify(self, context: Any) -> None:
        """Synchronously, as the monitor asks for it."""
        with Path(self.path).open("a") as file:
            file.write(f"{self.line}\n")
