"""What the package sent to the embedded Snowflake, by the server's own log."""

from __future__ import annotations

from dataclasses import dataclass, field

from local.deployment import Deployment


@dataclass
class Traffic:
    """What the package sent to Snowflake.

    :param tag: of its sessions; the benchmark's own have another
    :param seconds: of all statements, in the server
    """

    tag: str
    statements: int = 0
    errors: int = 0
    seconds: float = 0.0
    logins: int = 0
    sessions: int = 0
    _last: int = field(default=0, repr=False)
    _first_logins: int = field(default=-1, repr=False)

    def read(self, deployment: Deployment) -> None:
        """Add what the server logged since the last call; its log is finite."""
        reply = deployment.server("GET", "/statements", params={"since": self._last})
        if self._first_logins < 0:
            self._first_logins = reply["logins"]  # the first call only says where the measurement begins
        else:
            ours = [item for item in reply["statements"] if item["query_tag"] == self.tag]
            self.statements += len(ours)
            self.errors += sum(item["error"] is not None for item in ours)
            self.seconds += sum(item["milliseconds"] for item in ours) / 1000
        self.logins = reply["logins"] - self._first_logins
        self._last = max(self._last, reply["last"])
        self.sessions = max(self.sessions, deployment.server("GET", "/health")["sessions"])
