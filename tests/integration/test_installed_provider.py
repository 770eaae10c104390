"""A provider of another package: the steps of CONTRIBUTING, done in a folder that Python finds packages in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import orjson
from harness import PLAYBOOK

ROOT = Path(__file__).parents[2]

#: What is asked in a process of its own, whose first import is that of the package.
ASK = """
import sys
import acme_registry
from datetime import UTC, datetime
from pathlib import Path
import orjson, pandas as pd
from leadgate import playbook
from leadgate.connectors.providers import Asking, build_providers
from leadgate.playbook.check import check
from tasks.enrichment import Said, ask_providers
from tasks.stage import Gathered

loaded = playbook.parse(sys.stdin.read(), path=Path("playbook.yaml"))
now = datetime(2026, 3, 4, tzinfo=UTC)
columns = ["email", "phone", "company_domain", "email_domain", "website_domain", "is_free_mail", "industry"]
frame = pd.DataFrame([[None] * 7] * 2, columns=columns, dtype=object)
frame["email_domain"] = ["acme.example", "other.example"]
frame["journey_id"] = [1, 2]
asked = ask_providers(Gathered(frame, Said.about(frame)), now, build_providers(loaded, Asking(now)))
print(orjson.dumps({
    "problems": [str(each) for each in check(loaded) if "enrichment" in str(each)],
    "employees": asked.frame["employees"].tolist(),
    "from": [each.get("employees", {}).get("provider") for each in asked.context.provenance],
    "not_enriched": [{name: each["why"] for name, each in row.items()} for row in asked.context.problems],
}).decode())
"""


def install(folder: Path, module: str, entry_points: str) -> None:
    (folder / "acme_registry.py").write_text(module)
    metadata = folder / "acme_registry-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-registry\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points)


def test_the_steps_of_contributing_work_as_written(tmp_path: Path) -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (module,) = (
        each
        for each in re.findall(r"^   ```python\n(.*?)^   ```$", page, re.MULTILINE | re.DOTALL)
        if "Registry" in each
    )
    hostile = '\n\nNaN = float("nan")\n\n\ndef hostile(*, name, settings, folder):\n    raise RuntimeError("about lead1@company1.example")\n'
    hostile += "\n\ndef odd(*, name, settings, folder):\n    return Odd()\n\n\nclass Odd:\n    name = 'odd'\n"
    hostile += "    def look_up(self, frame):\n        return pd.DataFrame({'employees': [[1]], 'salary': [3]})\n"
    hostile += "\n\ndef strange(*, name, settings, folder):\n    return Strange()\n\n\nclass Strange(Odd):\n"
    hostile += "    def look_up(self, frame):\n        return pd.DataFrame({'revenue': [[1], 5], 'salary': [3, 4],\n"
    hostile += "            'account_candidates': [1, 2], 'answered_at': [[], {}], 'ask_again_at': ['soon', NaN],\n"
    hostile += "            'provider_problem': ['x' * 8000, 7]})\n"
    (named,) = re.findall(r'`(registry = "acme_registry:make")`', page)
    points = f"[leadgate.providers]\n{named.replace(chr(34), '')}\n"
    points += "hostile = acme_registry:hostile\nodd = acme_registry:odd\nstrange = acme_registry:strange\n"
    points += "broken = acme_registry:nothing\n"
    install(tmp_path, re.sub(r"^   ", "", module, flags=re.MULTILINE) + hostile, points)
    (entry,) = re.findall(r"`(- \{type: registry, .*?\})`", page)
    types = ["hostile", "odd", "strange", "broken", "missing"]
    listed = "".join(
        f"    {each}\n" for each in ["- {type: company_domain}", entry, *(f"- {{type: {t}}}" for t in types)]
    )
    text = PLAYBOOK.replace("scoring:\n", f"enrichment:\n  providers:\n{listed}scoring:\n", 1)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", ASK], input=text, env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told = orjson.loads(done.stdout)
    assert told["employees"] == [40, None]
    assert told["from"] == ["registry", None]
    (problem,) = told["problems"]
    assert "unknown type of provider 'missing'" in problem
    first, _ = told["not_enriched"]
    assert first["hostile"] == "it failed (RuntimeError)"
    assert "no frame with a row for each lead" in first["odd"]
    assert "revenue: a list" in first["strange"]
    assert "salary is no field" in first["strange"]
    assert "cannot be loaded" in first["broken"]
    assert "no installed package" in first["missing"]
    assert "company1.example" not in done.stdout
