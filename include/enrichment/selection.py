"""Which runs a person means: the ``conf`` that enrichment_retry and enrichment_backfill share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self

import pendulum
from airflow.sdk.exceptions import AirflowFailException

LISTED_RUNS = 200
"""So many runs are listed in a log, an answer and a record; all are counted."""


class RefusedError(AirflowFailException):
    """A request cannot be carried out, however often it is tried; the message says why and what to do instead."""


@dataclass(frozen=True)
class RunSelection:
    """Runs by id, by the time they ended, or both.

    :param test_ids: ids of runs or of their children
    :param ended_from: naive UTC, inclusive
    :param ended_before: naive UTC, exclusive
    """

    test_ids: tuple[str, ...] = ()
    ended_from: datetime | None = None
    ended_before: datetime | None = None

    @classmethod
    def from_conf(cls, conf: Mapping[str, Any]) -> Self:
        """Read ``test_id``, ``test_ids``, ``from`` and ``to``.

        A time without an offset is UTC; ``to`` as a date includes that day.

        :raises RefusedError: a time cannot be read, or the range is empty
        """
        ids = [conf["test_id"]] if conf.get("test_id") else []
        ids += [item for item in conf.get("test_ids") or [] if item not in ids]
        ended_from = _moment("from", conf.get("from"))
        ended_before = _moment("to", conf.get("to"), is_end=True)
        if ended_from and ended_before and ended_from >= ended_before:
            raise RefusedError(f"from={conf['from']} is not before to={conf['to']}: no run can match. Swap them.")
        return cls(tuple(ids), ended_from, ended_before)

    @property
    def is_empty(self) -> bool:
        """Nothing narrows the runs."""
        return not self.test_ids and self.ended_from is None and self.ended_before is None

    def parameters(self) -> dict[str, Any]:
        """Bind parameters of ``queue/_requested_runs.sql`` and of the templates that include it."""
        return {
            "test_ids": json.dumps(self.test_ids),
            "has_test_ids": bool(self.test_ids),
            "ended_from": None if self.ended_from is None else self.ended_from.isoformat(sep=" "),
            "ended_before": None if self.ended_before is None else self.ended_before.isoformat(sep=" "),
        }

    def __str__(self) -> str:
        parts = [f"ids {', '.join(self.test_ids)}"] if self.test_ids else []
        parts += [f"ended from {self.ended_from} UTC"] if self.ended_from else []
        parts += [f"ended before {self.ended_before} UTC"] if self.ended_before else []
        return "; ".join(parts) or "all runs"


def refuse_unknown_keys(conf: Mapping[str, Any], known: Iterable[str]) -> None:
    """Airflow's API lets keys through that no Param declares; a misspelt one must not widen the selection.

    :raises RefusedError: naming the unknown keys and the known ones
    """
    known = sorted(known)
    if unknown := sorted(set(conf) - set(known)):
        raise RefusedError(
            f"Unknown keys in conf: {', '.join(unknown)}. Known are {', '.join(known)}. Nothing was done; "
            "trigger again."
        )


def unknown_id(requested_id: str) -> str:
    """Why an id that nothing has is refused."""
    return (
        f"{requested_id!r} is not the TEST_ID of a run or of one of its children in FlakeBench's TEST_RESULTS. "
        "Check the id."
    )


def outside_range(run_id: str) -> str:
    """Why a named run that only the range excludes is refused."""
    return f"Run {run_id} did not end between from and to. Correct them, or leave them out."


def fail_for_refused(refused: Mapping[str, str], queued: int) -> None:
    """Say which of the named runs could not be queued.

    :param queued: number of runs that were
    :raises RefusedError: there is one
    """
    if refused:
        others = f" The other runs ({queued}) were queued." if queued else ""
        raise RefusedError(f"{' '.join(refused.values())}{others}")


def _moment(name: str, value: str | None, *, is_end: bool = False) -> datetime | None:
    if not value:
        return None
    try:
        parsed = pendulum.parse(value, exact=True)
        return _naive_utc(parsed, is_end=is_end)
    except (ValueError, OverflowError) as error:
        raise RefusedError(
            f"{name}={value!r} is no date or time within reach. Write 2026-11-01 or 2026-11-01T06:00:00Z (UTC when "
            "without offset)."
        ) from error


def _naive_utc(parsed: Any, *, is_end: bool) -> datetime:
    if isinstance(parsed, datetime):
        return pendulum.instance(parsed, tz="UTC").in_timezone("UTC").naive()
    if isinstance(parsed, date):
        start = pendulum.datetime(parsed.year, parsed.month, parsed.day).naive()
        return start.add(days=1) if is_end else start
    raise ValueError("neither a date nor a time with a date")
