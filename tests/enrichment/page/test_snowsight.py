"""A query is linked only where the account's address is known."""

from __future__ import annotations

import pytest

from include.enrichment.page.snowsight import query_url


@pytest.mark.parametrize("account", ["MyOrg-Acct_1", "myorg-acct_1"])
def test_organization_and_account_name_the_address(account: str) -> None:
    assert (
        query_url(account, "01b7-x") == "https://app.snowflake.com/myorg/acct_1/#/compute/history/queries/01b7-x/detail"
    )


@pytest.mark.parametrize("account", [None, "", "xy12345", "xy12345.eu-central-1", "embedded", "org-acct/../../evil"])
def test_a_locator_or_nothing_gives_no_link(account: str | None) -> None:
    assert query_url(account, "01b7-x") is None


def test_an_id_is_escaped() -> None:
    url = query_url("org-acct", 'x"/><script>')

    assert url is not None
    assert '"' not in url
