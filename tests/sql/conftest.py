"""What several tests of this tier share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sql.account import Account
from tests.sql.schema_state import drop_backups


@pytest.fixture
def migrated(account: Account) -> Iterator[Account]:
    """The account, and its schema put right again after the test."""
    yield account
    account.put_faults([])
    drop_backups(account)
    account.migrate()
