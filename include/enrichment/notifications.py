"""How an alert is told: in the log, and by the notifiers that the settings name."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tenacity import retry, retry_if_not_exception_type, stop_after_attempt, wait_exponential

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
    """A notifier could not tell of an alert; the others were tried.

    :param untold: key of an objective to the notifiers that failed to tell of it
    """

    def __init__(self, message: str, untold: Mapping[str, list[str]]) -> None:
        super().__init__(message)
        self.untold = untold


def tell(alerts: Iterable[Alert], notifiers: Iterable[NotifierSetting], context: Mapping[str, Any]) -> None:
    """Tell of each alert in the log and by every notifier that wants its level.

    A notifier that fails is tried three times, then the others go on; the next look tries it again, and only it.

    :param context: of the task; notifiers get ``alert`` in addition, for instance
        ``{"text": "{{ alert.text }}", "dedup_key": "{{ alert.key }}"}``
    :raises NotificationError: naming each notifier that failed and why
    """
    notifiers = tuple(notifiers)
    problems = []
    untold: dict[str, list[str]] = {}
    for alert in alerts:
        log.log(logging.INFO if alert.event is Event.ENDED else _LOG_LEVELS[alert.level], "%s", alert.text)
        for chosen in notifiers:
            if alert.level.rank < Level(chosen.level).rank or (alert.only and chosen.notifier not in alert.only):
                continue
            try:
                _notify(chosen, {**context, "alert": alert})
            except Exception as error:
                problems.append(f"{chosen.notifier}: {type(error).__name__}: {safe_text(error)}")
                untold.setdefault(alert.objective.key, []).append(chosen.notifier)
    if problems:
        raise NotificationError(
            f"{'; '.join(problems)}. Install the provider that the setting FLAKEBENCH_ENRICHMENT_NOTIFIERS names, or "
            "correct its kwargs and its connection; the next look tries again.",
            untold,
        )


@retry(
    stop=stop_after_attempt(3),
    wait=wait_exponential(max=5),
    retry=retry_if_not_exception_type((ImportError, AttributeError, TypeError)),
    reraise=True,
)
def _notify(chosen: NotifierSetting, context: dict[str, Any]) -> None:
    """Not by calling the notifier: ``BaseNotifier.__call__`` logs its errors and goes on."""
    module, _, name = chosen.notifier.rpartition(".")
    notifier: BaseNotifier = getattr(import_module(module), name)(**chosen.kwargs)
    notifier.render_template_fields(context)  # type: ignore[arg-type]
    notifier.notify(context)  # type: ignore[arg-type]
