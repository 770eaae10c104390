"""A CRM's connector of another package: the steps of CONTRIBUTING, done in a folder that Python finds packages in."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from crm_fakes.serving import FakeService, Request, Response, serve
from harness import NOW, PLAYBOOK, Harness, make_lead

from leadgate import playbook as playbooks
from leadgate import plug_ins
from leadgate.connectors.crm import CrmFieldType, CrmObject, CrmTask, WantedField
from leadgate.connectors.crm_base import CrmBase
from leadgate.connectors.crm_opening import CrmNotConfiguredError, open_crm
from leadgate.connectors.service_session import ServiceError
from leadgate.ledger import Ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.playbook.check import check
from tasks.outbox import deliver_waiting

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
ENVIRON = {"ACME_TOKEN": "a-token-of-acme"}


class AcmeService(FakeService):
    """The CRM that the example speaks to: people by any field, written by their key."""

    def __init__(self) -> None:
        super().__init__()
        self.people: dict[str, dict[str, object]] = {}

    def answer(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {ENVIRON['ACME_TOKEN']}":
            return Response(401)
        match (request.method, *request.segments):
            case ("GET", "fields"):
                return Response(200, ["email", "company", "status", "leadgate_id"])
            case ("GET", "users"):
                return Response(200, [])
            case ("GET", "people"):
                ((name, value),) = request.query.items()
                return Response(200, [each for each in self.people.values() if str(each.get(name)) == value])
            case ("PUT", "people", key):
                kept = self.people.setdefault(key, {"id": key})
                kept |= orjson.loads(request.body)
                return Response(200, kept)
        return Response(404)


@pytest.fixture
def acme() -> Iterator[tuple[AcmeService, str]]:
    service = AcmeService()
    with serve(service) as url:
        yield service, url
    assert service.errors == []


@pytest.fixture
def installed(
    tmp_path: Path, acme: tuple[AcmeService, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[LoadedPlaybook]:
    """A playbook with a CRM of the example's type, whose package Python finds."""
    (module,) = (each for each in re.findall(r"^   ```python\n(.*?)^   ```$", PAGE, re.M | re.S) if "CrmBase" in each)
    (section,) = re.findall(r"^   ```yaml\n(.*?)^   ```$", PAGE, re.M | re.S)
    (named,) = re.findall(r'`(acme = "acme_crm:Acme")`', PAGE)
    (tmp_path / "acme_crm.py").write_text(re.sub(r"^   ", "", module, flags=re.M), encoding="utf-8")
    metadata = tmp_path / "acme_crm-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-crm\nVersion: 1.0\n", encoding="utf-8")
    words = (
        f"[{plug_ins.CONNECTORS}]\n{named.replace(chr(34), '')}\nbroken = acme_crm:nothing\nbare = acme_crm:CrmBase\n"
    )
    (metadata / "entry_points.txt").write_text(words, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    plug_ins.list_names.cache_clear()
    crm = re.sub(r"^   ", "", section, flags=re.M).replace(
        "https://crm.acme.example", f"{acme[1]}\n    allow_private: true"
    )
    yield playbooks.parse(PLAYBOOK + crm, path=Path("tests.yaml"))
    plug_ins.list_names.cache_clear()
    sys.modules.pop("acme_crm", None)


def test_the_steps_of_contributing_work_as_written(
    installed: LoadedPlaybook, acme: tuple[AcmeService, str], ledger: Ledger
) -> None:
    assert [str(each) for each in check(installed) if "crm" in str(each)] == []
    harness = Harness(ledger, installed)
    harness.begin(make_lead(1))
    assert deliver_waiting(ledger, installed.playbook, NOW, environ=ENVIRON).count("delivered") == 1
    (person,) = acme[0].people.values()
    assert (person["email"], person["company"], person["status"]) == (make_lead(1)["Email"], "Company 1", "owned")
    assert harness.rows("SELECT differing, gone_at FROM crm_link") == [(0, None)]
    assert harness.find_broken() == []


def test_what_the_crm_lacks_is_told(installed: LoadedPlaybook) -> None:
    (connection,) = installed.playbook.crm
    crm = open_crm(connection, ENVIRON)
    wanted = [WantedField("score", "Score", CrmFieldType.NUMBER), WantedField("email", "E-mail", CrmFieldType.TEXT)]
    assert [each.subject for each in crm.check(CrmObject.LEAD, wanted)] == ["score"]
    with pytest.raises(ServiceError, match="score"):
        crm.create_fields(CrmObject.LEAD, wanted)
    assert crm.create_fields(CrmObject.LEAD, wanted[1:]) == []
    with pytest.raises(ServiceError, match="reads"):
        crm.read_changes(CrmObject.LEAD, ["email"], None)
    (refused,) = crm.write_tasks([CrmTask("t1", "1", "1", "Call", "", NOW)])
    assert refused.error is not None
    crm.close()


@pytest.mark.parametrize(
    ("kind", "words"),
    [("broken", "cannot be loaded"), ("missing", "no installed package"), ("bare", "cannot be opened")],
)
def test_a_connector_that_is_not_there_is_told(installed: LoadedPlaybook, kind: str, words: str) -> None:
    (connection,) = installed.playbook.crm
    with pytest.raises(CrmNotConfiguredError, match=words):
        open_crm(connection.model_copy(update={"type": kind}), ENVIRON)


def test_the_base_has_an_answer_for_each_question_of_the_interface() -> None:
    from leadgate.connectors.crm import Crm

    questions = {name for name in vars(Crm) if not name.startswith("_")} | {"name", "rows_per_write"}
    assert {name for name in questions if not hasattr(CrmBase, name)} == set()
