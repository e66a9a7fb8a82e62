"""Every setting of the package, typed, with its default.

A setting is named ``FLAKEBENCH_ENRICHMENT_<FIELD>``, and there are two kinds, because Airflow reads them at
two times:

* :class:`ParseSettings` shape the DAGs. They come from the **environment**, when a DAG file is parsed.
* :class:`Settings` are read inside tasks: from the **Airflow Variable** of that name, else from the
  **environment**, so that they can be changed without a deployment.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from include.enrichment import slo
from include.enrichment.catalogue import CATALOGUE, OPTIONAL_TYPES

PREFIX = "FLAKEBENCH_ENRICHMENT_"

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,254}")


class ConfigurationError(ValueError):
    """A setting has a value that cannot be used."""


def _identifier(value: str) -> str:
    if not _IDENTIFIER.fullmatch(value):
        raise ValueError(f"{value!r} is not an unquoted Snowflake identifier (A-Z, 0-9, _ and $; no digit first)")
    return value.upper()


def _split(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _known_types(value: tuple[str, ...]) -> tuple[str, ...]:
    known = [entry.name for entry in CATALOGUE]
    if unknown := sorted(set(value) - set(known)):
        raise ValueError(f"unknown enrichment types {unknown}; known are {known}")
    return value


def _optional_types(value: tuple[str, ...]) -> tuple[str, ...]:
    if wrong := sorted(set(_known_types(value)) - {*OPTIONAL_TYPES}):
        raise ValueError(f"{wrong} are not optional, every run has them; optional are {list(OPTIONAL_TYPES)}")
    return value


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None


def _known_thresholds(value: Any) -> Any:
    slo.objectives(value)
    return value


class NotifierSetting(BaseModel):
    """One entry of ``notifiers``.

    :param notifier: import path of a notifier of Airflow or of one of its providers
    :param kwargs: of its constructor; its templated fields may use ``{{ alert }}``, see ``notifications.py``
    :param level: what is milder is not sent
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    notifier: str = Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")
    kwargs: dict[str, Any] = Field(default_factory=dict)
    level: Literal["WARNING", "CRITICAL"] = "WARNING"

    @property
    def key(self) -> str:
        """Which one it is, without showing its kwargs, where a token may be."""
        return f"{self.notifier}-{sha256(self.model_dump_json().encode()).hexdigest()[:12]}"


Identifier = Annotated[str, AfterValidator(_identifier)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
# a value can be a secret (the token of a notifier), and an error is written to the log with its cause
_CONFIG = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)


class ParseSettings(BaseSettings):
    """Settings that shape the DAGs; from the environment, read when a DAG file is parsed."""

    model_config = _CONFIG

    conn_id: str = Field("snowflake_default", description="Airflow connection to Snowflake.")
    pool: str = Field(
        "snowflake_enrichment",
        description="Airflow pool of the tasks that write; 8 slots, because Snowflake aborts a statement "
        "when 20 others wait for the same lock.",
    )
    schedule_minutes: int = Field(5, ge=1, le=1440, description="Minutes between two passes; a day at most.")
    retry_delay_seconds: int = Field(20, ge=0, le=30, description="Seconds before Airflow's own retry.")
    task_timeout_minutes: int = Field(10, ge=1, description="Execution timeout of a task, minutes.")
    pass_timeout_minutes: int = Field(
        60, ge=1, description="Timeout of a pass (a DAG run), minutes; must outlive a task."
    )
    deadline_minutes: int | None = Field(
        None,
        ge=1,
        description="A pass that takes so many minutes longer than ten earlier ones on average is reported; three "
        "quarters of its timeout when unset.",
    )
    monitor_minutes: int | None = Field(
        None,
        ge=1,
        le=1440,
        description="Minutes between two looks of the monitor; those between two passes when unset.",
    )
    lease_minutes: int = Field(90, ge=1, description="How long a claim holds a task; must outlive a pass.")

    @property
    def monitor_interval(self) -> int:
        """Minutes between two looks: with the passes, so that no look of its own resumes a suspended warehouse."""
        return self.monitor_minutes or self.schedule_minutes

    @property
    def deadline(self) -> float:
        """Minutes after which a pass that has not ended is reported; always before its timeout stops it."""
        return self.pass_timeout_minutes * 0.75 if self.deadline_minutes is None else self.deadline_minutes

    @model_validator(mode="after")
    def _pass_outlives_task(self) -> Self:
        if self.pass_timeout_minutes <= self.task_timeout_minutes:
            raise ValueError(
                f"{PREFIX}PASS_TIMEOUT_MINUTES={self.pass_timeout_minutes} must be greater than "
                f"{PREFIX}TASK_TIMEOUT_MINUTES={self.task_timeout_minutes}, or the end of a pass would stop a task "
                "before it can say what took so long"
            )
        return self

    @model_validator(mode="after")
    def _deadline_comes_before_the_timeout(self) -> Self:
        if self.deadline >= self.pass_timeout_minutes:
            raise ValueError(
                f"{PREFIX}DEADLINE_MINUTES={self.deadline_minutes} must be less than "
                f"{PREFIX}PASS_TIMEOUT_MINUTES={self.pass_timeout_minutes}, or a pass that hangs is stopped before "
                "anybody is told"
            )
        return self

    @model_validator(mode="after")
    def _lease_outlives_pass(self) -> Self:
        if self.lease_minutes <= self.pass_timeout_minutes:
            raise ValueError(
                f"{PREFIX}LEASE_MINUTES={self.lease_minutes} must be greater than "
                f"{PREFIX}PASS_TIMEOUT_MINUTES={self.pass_timeout_minutes}, or a task that still runs would be "
                "given to a second worker"
            )
        return self


class Settings(BaseSettings):
    """Settings that are read inside tasks: Airflow Variable, else environment, else default."""

    model_config = _CONFIG

    enabled: bool = Field(True, description="Off switch: false claims nothing.")
    results_database: Identifier = Field("FLAKEBENCH", description="Database of FlakeBench's tables.")
    results_schema: Identifier = Field("TEST_RESULTS", description="Schema of FlakeBench's tables.")
    own_schema: Identifier | None = Field(
        None, description="Schema of this package's tables, in the same database; FlakeBench's own when unset."
    )
    account_usage_database: Identifier = Field("SNOWFLAKE", description="Database that holds ACCOUNT_USAGE.")
    warehouse: Identifier | None = Field(None, description="Warehouse; that of the connection when unset.")
    role: Identifier | None = Field(None, description="Role; that of the connection when unset.")
    query_tag: str = Field("flakebench_enrichment", max_length=2000, description="QUERY_TAG of our sessions.")
    statement_timeout_seconds: int = Field(
        120, ge=1, description="STATEMENT_TIMEOUT_IN_SECONDS of our sessions; below the task timeout."
    )
    lock_timeout_seconds: int = Field(60, ge=1, description="LOCK_TIMEOUT of our sessions, seconds.")
    mirror_lock_timeout_seconds: int = Field(5, ge=1, description="LOCK_TIMEOUT of the mirror, seconds.")

    discover_statuses: Names = Field(
        ("COMPLETED",),
        min_length=1,
        description="TEST_RESULTS.STATUS values of the runs that get a job; comma-separated.",
    )
    look_back_days: int = Field(7, ge=1, description="Runs that ended longer ago are not discovered, days.")
    disabled_types: Annotated[Names, AfterValidator(_known_types)] = Field(
        (), description="Enrichment types that are switched off; comma-separated."
    )
    optional_types: Annotated[Names, AfterValidator(_optional_types)] = Field(
        (),
        description=f"Optional enrichment types that runs get as well ({', '.join(OPTIONAL_TYPES)}); comma-separated.",
    )
    control_plane_tags: Names = Field(
        ("flakebench", "unistore_benchmark"),
        description="Bare tags of FlakeBench's own sessions, which never identify a run; comma-separated.",
    )
    batch_size: int = Field(
        100, ge=2, le=500, description="Tasks claimed in one pass; Airflow refuses more than 1,024 mapped tasks."
    )
    backfill_batch_size: int = Field(
        20, ge=0, description="At most so many of a batch are backfill tasks and second looks."
    )
    max_attempts: int = Field(3, ge=1, description="Tries before a transient error is final.")
    backoff_minutes: Annotated[tuple[int, ...], NoDecode, BeforeValidator(_split)] = Field(
        (5, 15, 45), min_length=1, description="Minutes until the next try, after the first, second, ... failed one."
    )
    not_ready_minutes: int = Field(30, ge=1, description="Minutes until the next look at an incomplete view.")
    recheck_hours: int = Field(
        24,
        ge=0,
        le=8760,
        description="Hours until the second look at what settled incomplete or below full coverage; 0: none.",
    )
    no_privilege_minutes: int = Field(60, ge=1, description="Minutes until the next try without a privilege.")
    coverage_threshold: float = Field(0.99, gt=0, le=1, description="Coverage from which data is complete.")
    insights_days: int = Field(30, ge=1, description="Days until cached insights expire.")
    store_raw: bool = Field(False, description="Fill the RAW_* columns (never with query text).")
    mirror: bool = Field(True, description="Copy the summary to FlakeBench's own tables.")
    queue_retention_days: int = Field(
        30,
        ge=1,
        description="Queue rows and tries of jobs that settled longer ago are cleaned up, days.",
    )
    cleanup_batch_size: int = Field(
        10_000, ge=1, le=1_000_000, description="Rows (of the queue: jobs) that the cleanup deletes in one transaction."
    )
    thresholds: Annotated[slo.Overrides, NoDecode, BeforeValidator(_json), AfterValidator(_known_thresholds)] = Field(
        {}, description='Thresholds other than the plan\'s, JSON: `{"due_jobs": {"warning": 80}}`; null: none.'
    )
    notifiers: Annotated[tuple[NotifierSetting, ...], NoDecode, BeforeValidator(_json)] = Field(
        (),
        description="Who is told of alerts besides the log, JSON: a list of `notifier` (import path), `kwargs` and, "
        "optionally, `level`. Nothing is imported that is not named here. For a pass that hangs it counts in the "
        "environment only: Airflow 3.3 refuses Variables to a deadline.",
    )
    runbook: str = Field(
        slo.RUNBOOK, description="Where your people read the runbook; an alert links to its entry there, behind a `#`."
    )
    reminder_hours: int = Field(24, ge=1, description="Hours after which an alert that lasts is told again.")

    def __hash__(self) -> int:
        """By their text: thresholds and notifiers hold mappings, which have no hash."""
        return hash(json.dumps(self.model_dump(mode="json"), sort_keys=True))

    @property
    def results(self) -> str:
        """FlakeBench's schema, qualified."""
        return f"{self.results_database}.{self.results_schema}"

    @property
    def enrichment_schema(self) -> str:
        """Name of the schema of this package's tables."""
        return self.own_schema or self.results_schema

    @property
    def enrichment(self) -> str:
        """The schema of this package's tables, qualified."""
        return f"{self.results_database}.{self.enrichment_schema}"

    @property
    def account_usage(self) -> str:
        """The schema of Snowflake's views, qualified."""
        return f"{self.account_usage_database}.ACCOUNT_USAGE"

    @property
    def off_types(self) -> dict[str, str]:
        """The enrichment types that runs do not get here, name to why."""
        not_named = {name for name in OPTIONAL_TYPES if name not in self.optional_types}
        return dict.fromkeys(not_named, f"optional, and not named in {PREFIX}OPTIONAL_TYPES") | dict.fromkeys(
            self.disabled_types, f"switched off by {PREFIX}DISABLED_TYPES"
        )

    def backoff(self, attempts: int) -> int:
        """Minutes to wait after the given number of tries; the last step repeats."""
        return self.backoff_minutes[min(max(attempts, 1), len(self.backoff_minutes)) - 1]


@cache
def current() -> Settings:
    """The settings of this task process, from the Airflow Variables and the environment.

    One call lists the Variables of the package, so that the many that are not set cost nothing.

    :raises ConfigurationError: a Variable or environment variable has an unusable value
    """
    from airflow.sdk import Variable
    from airflow.sdk.configuration import conf

    if conf.get("secrets", "backend", fallback="") or conf.get("workers", "secrets_backend", fallback=""):
        names = _variables()  # a secrets backend cannot be listed
    else:
        names = {name for name in Variable.keys(prefix=PREFIX) if name.startswith(PREFIX)}
        names |= {name.removeprefix("AIRFLOW_VAR_") for name in os.environ if name.startswith(f"AIRFLOW_VAR_{PREFIX}")}
    return parse({name: Variable.get(name, default=None) for name in sorted(names)})


def of_server() -> Settings:
    """The settings of now, as the API server reads them: a process that lives on when a Variable changes.

    It has no task supervisor that could list the Variables, so each is looked up, which costs it no HTTP call.

    :raises ConfigurationError: a Variable or environment variable has an unusable value
    """
    from airflow.sdk import Variable

    return parse({name: Variable.get(name, default=None) for name in _variables()})


def of_shell() -> Settings:
    """The settings of a process outside Airflow: Variables of the environment (``AIRFLOW_VAR_...``), else parse's.

    Variables in Airflow's database or in a secrets backend are not seen.

    :raises ConfigurationError: a Variable or environment variable has an unusable value
    """
    return parse({name: os.environ.get(f"AIRFLOW_VAR_{name}") for name in _variables()})


def _variables() -> set[str]:
    """The full name of each setting, in the environment and as a Variable."""
    return {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}


def parse(variables: Mapping[str, str | None] | None = None) -> Settings:
    """The settings from the environment, overridden by Airflow Variables.

    :param variables: full name (``FLAKEBENCH_ENRICHMENT_...``) to value; None: there is no such Variable
    :raises ConfigurationError: naming the setting and what is wrong with it
    """
    found = {name: value for name, value in (variables or {}).items() if value is not None}
    overrides = {name.removeprefix(PREFIX).lower(): value for name, value in found.items()}
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = "; ".join(
            f"{PREFIX}{str(item['loc'][0]).upper() if item['loc'] else ''}: {item['msg']}" for item in error.errors()
        )
        raise ConfigurationError(f"{problems}. Correct the Airflow Variable or environment variable.") from error
