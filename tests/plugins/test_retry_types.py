"""The types that the API accepts in a retry are those of the catalogue."""

from __future__ import annotations

from typing import get_args

from enrichment_view.retry_api import TypeName
from include.enrichment.catalogue import CATALOGUE


def test_a_retry_accepts_every_type_by_name() -> None:
    assert list(get_args(TypeName)) == [entry.name for entry in CATALOGUE]
