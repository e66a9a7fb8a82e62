"""Where a query is in Snowsight."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from include.enrichment.page.reader import Reader

_ORGANIZATION_AND_ACCOUNT = re.compile(r"([A-Za-z][A-Za-z0-9]*)-([A-Za-z0-9_-]+)")
"""An account identifier of the preferred form; the name of an organization has no hyphen.

https://docs.snowflake.com/en/user-guide/admin-account-identifier
"""


def account_of(reader: Reader) -> str | None:
    """The account of the Airflow connection."""
    account = reader.hook().get_connection(reader.conn_id).extra_dejson.get("account")
    return str(account) if account else None


def query_url(account: str | None, query_id: str | None) -> str | None:
    """The page of a query in Snowsight.

    :param account: account identifier; None where only a locator or nothing is known: there is no link then
    """
    match = _ORGANIZATION_AND_ACCOUNT.fullmatch(account or "")
    if match is None or not query_id:
        return None
    organization, name = match[1].lower(), match[2].lower()
    return f"https://app.snowflake.com/{organization}/{name}/#/compute/history/queries/{quote(query_id)}/detail"
