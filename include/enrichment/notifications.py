"""How an alert is told: in the log, and by the notifiers that the settings name."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tenacity import retry, retry_if_exception, stop_after_attempt, wait_exponential

from include.enrichment.alerts import Alert, Event
from include.enrichment.errors import safe_text
from include.enrichment.slo import Level

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import BaseNotifier

    from include.enrichment.settings import NotifierSetting

log = logging.getLogger(__name__)

_LOG_LEVELS = {Level.WARNING: logging.WARNING, Level.CRITICAL: logging.ERROR}


class NotificationError(RuntimeError):
    """Notifiers could not tell of an alert; the others were tried.

    :param problems: a line for each
    """

    def __init__(self, problems: Iterable[str]) -> None:
        super().__init__(
            f"{'; '.join(problems)}. Install the provider that the setting FLAKEBENCH_ENRICHMENT_NOTIFIERS names, or "
            "correct its kwargs and its connection."
        )


@dataclass(frozen=True)
class Telling:
    """What has come of it so far.

    :param heard: key of an objective to the notifiers that have told of it; see :attr:`NotifierSetting.key`
    :param problems: a line for each that failed
    """

    heard: dict[str, list[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def write_to_log(alerts: Iterable[Alert]) -> None:
    """Tell of what is new in the log of this task."""
    for alert in alerts:
        if alert.is_news:
            log.log(logging.INFO if alert.event is Event.ENDED else _LOG_LEVELS[alert.level], "%s", alert.text)


def tell(alerts: Iterable[Alert], context: Mapping[str, Any], telling: Telling) -> None:
    """Tell of each alert by its listeners.

    A notifier that fails is tried three times, then the others go on.

    :param context: of the task; notifiers get ``alert`` in addition, for instance
        ``{"text": "{{ alert.text }}", "dedup_key": "{{ alert.key }}"}``
    :param telling: what came of it is added; so that it is known when the task is stopped in the middle
    """
    for alert in alerts:
        for chosen in alert.listeners:
            try:
                _notify(chosen, {**context, "alert": alert})
            except Exception as error:
                problem = f"{chosen.notifier}: {type(error).__name__}: {_without_addresses(safe_text(error))}"
                log.error("Not told of %s: %s", alert.objective.key, problem)
                telling.problems.append(problem)
            else:
                telling.heard.setdefault(alert.objective.key, []).append(chosen.key)


def _without_addresses(text: str) -> str:
    """The address of a webhook is its password."""
    return re.sub(r"\b[a-z]+://[^\s'\")]+|\burl: \S+", "<address>", text, flags=re.IGNORECASE)


def _is_worth_a_retry(error: BaseException) -> bool:
    """Not what is wrong each time, and not what stops the task."""
    return isinstance(error, Exception) and not isinstance(error, (ImportError, AttributeError, TypeError))


@retry(
    stop=stop_after_attempt(3), wait=wait_exponential(max=5), retry=retry_if_exception(_is_worth_a_retry), reraise=True
)
def _notify(chosen: NotifierSetting, context: dict[str, Any]) -> None:
    """Not by calling the notifier: ``BaseNotifier.__call__`` logs its errors and goes on."""
    module, _, name = chosen.notifier.rpartition(".")
    notifier: BaseNotifier = getattr(import_module(module), name)(**chosen.kwargs)
    notifier.render_template_fields(context)  # type: ignore[arg-type]
    notifier.notify(context)  # type: ignore[arg-type]
