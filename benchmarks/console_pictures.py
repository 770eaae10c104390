"""The pictures of the console in the README: the example leads, as their rep, a reviewer and a manager see them.

Works in a folder of its own, with a server of its own and Chromium; writes ``docs/pictures/``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.console import console_running, sign_in
from console.web.visitors import COOKIE
from leadgate import playbook as playbooks
from leadgate.ledger import open_ledger
from leadgate.ledger.clock import ask_time
from leadgate.ledger.lead_list import LeadFilter, list_leads
from leadgate.settings import Settings
from leadgate.vocabulary import Role

FOLDER: Final = Path("docs/pictures")
FILES: Final = {
    "website": "website.csv",
    "trade_show": "trade_show.csv",
    "partner": "partner.jsonl",
    "linkedin_ads": "linkedin_ads.xlsx",
    "webinar": "webinar.csv",
    "activities": "activities.csv",
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        environment = {**os.environ, "LEADGATE_HOME": str(home)}
        for source, file in FILES.items():
            _run(["capture", f"examples/{file}", "--source", source], environment)
        _run(["run"], environment)
        loaded = playbooks.load_default()
        with open_ledger(Settings(home=home)) as ledger:
            now = ask_time(ledger)
            (lead,) = list_leads(ledger, LeadFilter(), now, 1)
            owner = next(rep for rep in loaded.playbook.reps if rep.name == lead.owner)
            rep = sign_in(ledger, Role.REP, loaded, owner.name)
            tokens = {
                "my_leads": (rep, "/leads/mine"),
                "lead": (rep, f"/leads/{lead.lead_id}"),
                "team": (sign_in(ledger, Role.MANAGER, loaded, owner.manager), "/team"),
            }
            with console_running(home) as console:
                _take_pictures(console.port, tokens)


def _run(arguments: list[str], environment: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-m", "console.cli", *arguments], env=environment, check=True, capture_output=True)


def _take_pictures(port: int, pages: dict[str, tuple[str, str]]) -> None:
    from playwright.sync_api import sync_playwright

    FOLDER.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        for name, (token, address) in pages.items():
            page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
            page.set_extra_http_headers({"Cookie": f"{COOKIE}={token}"})
            page.goto(f"http://127.0.0.1:{port}{address}")
            page.screenshot(path=FOLDER / f"{name}.png")
            print(f"{FOLDER / name}.png")
        browser.close()


if __name__ == "__main__":
    main()
