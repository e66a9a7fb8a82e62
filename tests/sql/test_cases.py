"""Every data case of the SQL templates; its folder names the rule."""

from __future__ import annotations

import pytest

from tests.sql.account import Account
from tests.sql.cases import Case, cases, run_case


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_case(case: Case, account: Account) -> None:
    run_case(case, account)
