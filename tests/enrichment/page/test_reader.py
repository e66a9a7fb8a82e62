"""The page asks Snowflake rarely, on few sessions, and notices when one of them has ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from include.enrichment.page.reader import KEPT_SECONDS, KEPT_SECONDS_WHILE_MOVING, Reader
from include.enrichment.page.runs import RunFilter
from include.enrichment.page.unavailable import Cause, Unavailable
from include.enrichment.settings import Settings
from tests.sql.account import Account

BINDS = {**RunFilter().binds(), "page_size": 5, "page_offset": 0}
pytestmark = pytest.mark.sql


@pytest.fixture
def reader(account: Account, settings: Settings) -> Iterator[Reader]:
    found = Reader("snowflake_default", settings)
    yield found
    account.put_faults([])
    found.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The templates that reached Snowflake."""
    sent: list[str] = []
    original = Reader._ask

    def ask(self: Reader, template: str, binds: Any) -> Any:
        sent.append(template)
        return original(self, template, binds)

    monkeypatch.setattr(Reader, "_ask", ask)
    return sent


def total(reader: Reader, **more: Any) -> int:
    return int(reader.rows("page/runs.sql", BINDS, **more)[0]["TOTAL"])


def test_the_same_question_is_asked_once(reader: Reader, asked: list[str]) -> None:
    total(reader), total(reader)
    assert len(asked) == 1


def test_another_bind_is_another_question(reader: Reader, asked: list[str]) -> None:
    total(reader)
    reader.rows("page/runs.sql", {**BINDS, "page_offset": 5})
    assert len(asked) == 2


def test_side_by_side_the_same_question_is_asked_once(reader: Reader, asked: list[str]) -> None:
    threads = [threading.Thread(target=total, args=(reader,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1


def test_a_fresh_answer_is_asked_for_and_replaces_the_kept_one(reader: Reader, account: Account) -> None:
    from tests.sql.cases import Moment, load_tables

    assert total(reader) == 0
    load_tables(account, {"TEST_RESULTS": [{"TEST_ID": "run-1"}]}, Moment.current())
    assert total(reader) == 0
    assert total(reader, fresh=True) == 1
    assert total(reader) == 1


def test_what_is_forgotten_is_asked_for_again(reader: Reader, asked: list[str]) -> None:
    total(reader)
    reader.forget()
    total(reader)
    assert len(asked) == 2


@pytest.mark.parametrize(("is_moving", "seconds"), [(True, KEPT_SECONDS_WHILE_MOVING), (False, KEPT_SECONDS)])
def test_what_is_moving_is_kept_for_a_shorter_time(reader: Reader, is_moving: bool, seconds: float) -> None:
    total(reader, is_moving=lambda _rows: is_moving)
    (answer,) = reader._answers.values()
    assert answer.keep_seconds == seconds


def test_a_session_is_used_again(reader: Reader) -> None:
    total(reader)
    (first,) = [idle.connection for idle in reader._idle.queue]
    total(reader, fresh=True)
    assert [idle.connection for idle in reader._idle.queue] == [first]


def test_a_session_that_ended_meanwhile_is_replaced_without_anybody_noticing(reader: Reader, account: Account) -> None:
    total(reader)
    account.put_faults([{"match": "COUNT.* AS TOTAL", "errno": 390114, "sqlstate": "08001", "times": 1}])
    assert total(reader, fresh=True) == 0


def test_times_say_that_they_are_utc(reader: Reader) -> None:
    assert str(reader.rows("page/runs.sql", BINDS)[0]["SERVER_TIME"].tzinfo) == "UTC"


def test_an_error_of_the_statement_is_explained_and_not_kept(reader: Reader, account: Account) -> None:
    name = "FLAKEBENCH.TEST_RESULTS.TEST_RESULTS"
    text = f"Object '{name}' does not exist or not authorized."
    account.put_faults([{"match": "COUNT.* AS TOTAL", "errno": 2003, "sqlstate": "42S02", "message": text, "times": 1}])
    with pytest.raises(Unavailable) as caught:
        total(reader)
    assert caught.value.cause is Cause.MISSING_GRANT
    assert caught.value.statement == f"GRANT SELECT ON TABLE {name} TO ROLE FLAKEBENCH_ROLE;"
    assert total(reader) == 0


def test_a_connection_that_is_not_defined_is_explained(settings: Settings) -> None:
    with pytest.raises(Unavailable, match="nowhere") as caught:
        total(Reader("nowhere", settings))
    assert caught.value.cause is Cause.CONFIGURATION


def test_a_snowflake_that_keeps_silent_is_told_before_the_connector_gives_up(
    reader: Reader, account: Account, settings: Settings
) -> None:
    hasty = Reader("snowflake_default", settings, patience_seconds=0.5)
    account.put_faults([{"match": "AS TOTAL FROM chosen", "delay_seconds": 3}])
    answers: list[Unavailable] = []

    def ask() -> None:
        with pytest.raises(Unavailable) as raised:
            total(hasty)
        answers.append(raised.value)

    threads = [threading.Thread(target=ask) for _ in range(2)]  # the second one waits for the first one's answer
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.cause for answer in answers] == [Cause.UNREACHABLE] * 2
    assert "no answer in 0.5 seconds" in str(answers[0])
    account.put_faults([])
    hasty.close()
    assert total(reader) == 0
