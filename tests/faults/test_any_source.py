"""Whatever the views return, what is stored is what the oracle says; a look never replaces more by less.

``FAULT_EXAMPLES`` sets the number of examples (``make soak`` draws many, and shrinks what fails).
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from include.enrichment.settings import Settings
from tests.faults import strategies
from tests.faults.matrix import Matrix
from tests.faults.sources import Trial
from tests.sql.account import Account

EXAMPLES = int(os.environ.get("FAULT_EXAMPLES", "6"))
IN_CI = "FAULT_EXAMPLES" not in os.environ
NOW = datetime.now(UTC).replace(tzinfo=None, second=0, microsecond=0)


@hypothesis_settings(
    derandomize=IN_CI,
    database=None,
    deadline=None,
    max_examples=EXAMPLES,
    phases=(Phase.generate,) if IN_CI else (Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
@given(data=st.data())
def hold_any_source_against_the_oracle(data: Any, account: Account, settings: Settings, looks: list[Trial]) -> None:
    """One example: a source, a look at it, the source misbehaves, a second look."""
    source = data.draw(strategies.sources(NOW))
    afterwards = data.draw(strategies.changed(source, NOW))
    account.empty()
    trial = Trial(account, settings, source)
    trial.begin(strategies.kinds_of(source))
    trial.look()
    looks.append(trial)
    trial.change(afterwards)
    trial.look()


def test_any_source_is_stored_as_the_oracle_says(account: Account, settings: Settings, matrix: Matrix) -> None:
    looks: list[Trial] = []
    hold_any_source_against_the_oracle(account=account, settings=settings, looks=looks)
    assert len(looks) >= EXAMPLES
    matrix.check(
        f"{len(looks)} generated sources, each changed once",
        "the next look replaces, or keeps what is more",
        expected=[(number, *item) for number, trial in enumerate(looks) for item in trial.shown],
        stored=[(number, *item) for number, trial in enumerate(looks) for item in trial.stored],
    )
