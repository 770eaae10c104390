"""Which environment variables each process gets: the credentials of CRMs reach those that deliver, and no others."""

from __future__ import annotations

from flows.runtime import environment
from leadgate import playbook
from leadgate.playbook import CrmConnection


def test_only_processes_that_deliver_get_the_credentials_of_crms() -> None:
    connection = CrmConnection(name="sales", type="hubspot", credentials={"token": "CRM_TOKEN"})
    rules = playbook.load_default().playbook.model_copy(update={"crm": (connection,)})
    environ = {"CRM_TOKEN": "pat-1", "PATH": "/bin"}

    assert environment.select_for_flows(environ, rules).items() >= environ.items()
    assert "CRM_TOKEN" not in environment.select_for_http_capture(environ, rules)
    assert "CRM_TOKEN" not in environment.select_for_prefect_server(environ)
