"""What the doctor finds: one finding per check, and what a list of them says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

_LABEL_WIDTH = 36


class Status(StrEnum):
    """How a check ended. Only ``FAILED`` keeps the package from working."""

    OK = "OK"
    WARNING = "WARNING"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Finding:
    """How one check ended.

    :param check: kind of the check, a key of :data:`include.enrichment.doctor.PROBES`
    :param subject: what was looked at, for instance the name of a view
    :param message: what was found; of a failure with the current role and user, and the cause
    :param next_action: the statement to run and who may run it; empty when there is nothing to do
    """

    check: str
    subject: str
    status: Status
    message: str
    next_action: str = ""

    @property
    def label(self) -> str:
        """What was checked, in two words."""
        return f"{self.check} {self.subject}"

    @property
    def is_failure(self) -> bool:
        return self.status is Status.FAILED

    @property
    def text(self) -> str:
        """Everything, on one line."""
        return " ".join(f"{self.label}: {self.message} {self.next_action}".split())

    def as_json(self) -> dict[str, str]:
        """For XCom and ENRICHMENT_OPERATIONS.DETAILS."""
        return {
            "check": self.check,
            "subject": self.subject,
            "status": self.status.value,
            "message": self.message,
            "next_action": self.next_action,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        return cls(**{**content, "status": Status(content["status"])})


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """Status to number of findings; every status is there."""
    found = Counter(finding.status for finding in findings)
    return {status.value: found[status] for status in Status}


def failures(findings: Iterable[Finding]) -> list[Finding]:
    """Those that keep the package from working."""
    return [finding for finding in findings if finding.is_failure]


def table(findings: Sequence[Finding]) -> str:
    """One line per finding: status, check and subject, message; a next action on a line of its own below it."""
    width = max((_LABEL_WIDTH, *(len(finding.label) for finding in findings)))
    lines = []
    for finding in findings:
        lines.append(f"{finding.status:<8} {finding.label:<{width}}  {finding.message}".rstrip())
        if finding.next_action:
            lines.append(f"{'':<8} {'':<{width}}  -> {finding.next_action}")
    return "\n".join(lines)
