"""JSON of the health of the deployment."""

from __future__ import annotations

from fastapi import APIRouter

from enrichment_view.api import Fresh, PageReader
from enrichment_view.health_models import HealthReply
from enrichment_view.problems import READ_RESPONSES
from enrichment_view.revalidation import RevalidatedRoute
from include.enrichment.page.health import read_health

router = APIRouter(route_class=RevalidatedRoute, responses=READ_RESPONSES, tags=["health"])


@router.get("/health")
def health(reader: PageReader, fresh: Fresh) -> HealthReply:
    """Queue, oldest pending, failure rate, latency, leases, the last doctor, own cost; each beside its objective."""
    return HealthReply.of(read_health(reader, fresh=fresh))
