"""The ledgers that tests begin with: made once, and then copied."""

from __future__ import annotations

from pathlib import Path

import databases
from harness import Harness, make_lead

from leadgate.ledger import Ledger, open_ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings


def test_what_several_tests_begin_with_is_done_once(postgres: Ledger, loaded: LoadedPlaybook, tmp_path: Path) -> None:
    done: list[str] = []
    with databases.fresh(postgres, 3) as urls:
        for number, url in enumerate(urls):
            with open_ledger(Settings(home=tmp_path, database_url=url)) as ledger:
                harness = Harness(ledger, loaded)

                def work(harness: Harness = harness, url: str = url) -> None:
                    harness.capture(make_lead(1))
                    done.append(url)

                harness.begin_with("one captured lead", work)
                assert harness.count_statuses() == {"ready": 1}
                harness.capture(make_lead(2 + number))  # which the next does not see
                assert harness.count_statuses() == {"ready": 2}
    assert done == urls[:1]
