"""Which environment variables each process gets: the credentials of CRMs reach those that deliver, and no others."""

from __future__ import annotations

from collections.abc import Mapping

from flows.runtime import environment
from leadgate import playbook
from leadgate.playbook import CrmConnection, HttpCapture, Source


def test_only_processes_that_deliver_get_the_credentials_of_crms() -> None:
    connection = CrmConnection(name="sales", type="hubspot", credentials={"token": "CRM_TOKEN"})
    rules = playbook.load_default().playbook.model_copy(update={"crm": (connection,)})
    environ = {"CRM_TOKEN": "pat-1", "PATH": "/bin"}

    assert environment.select_for_flows(environ, rules).items() >= environ.items()
    assert "CRM_TOKEN" not in environment.select_for_http_capture(environ, rules)
    assert "CRM_TOKEN" not in environment.select_for_prefect_server(environ)


def test_answers_are_read_where_flows_run_and_their_token_stays_there() -> None:
    of_ads = {"auth": "facebook", "secret_env": "LEADGATE_SECRET_A", "verify_env": "LEADGATE_SECRET_B"}
    posting = {
        "ads": of_ads | {"answers": {"token_env": "PAGE_TOKEN"}},
        "form": {"auth": "bearer", "secret_env": "LEADGATE_SECRET_C"},
    }
    sources = {name: Source(http=HttpCapture.model_validate(http)) for name, http in posting.items()}
    rules = playbook.load_default().playbook.model_copy(update={"sources": sources})
    environ = dict.fromkeys(("PAGE_TOKEN", "LEADGATE_SECRET_A", "LEADGATE_SECRET_B", "LEADGATE_SECRET_C"), "x")

    def select(process: Mapping[str, str]) -> set[str]:
        return environ.keys() & process.keys()

    assert select(environment.select_for_flows(environ, rules)) == {"PAGE_TOKEN", "LEADGATE_SECRET_A"}
    assert select(environment.select_for_http_capture(environ, rules)) == environ.keys() - {"PAGE_TOKEN"}
    assert select(environment.select_for_prefect_server(environ)) == set()


def test_secrets_for_signing_in_reach_the_console_and_no_other_process() -> None:
    environ = {"LEADGATE_OIDC_CLIENT_SECRET": "x", "LEADGATE_TRUSTED_HEADER_SECRET": "y"}
    rules = playbook.load_default().playbook

    assert environment.select_for_console(environ).items() >= environ.items()
    for process in (
        environment.select_for_flows(environ, rules),
        environment.select_for_http_capture(environ, rules),
        environment.select_for_prefect_server(environ),
    ):
        assert environ.keys() & process.keys() == set()


def test_the_mail_server_reaches_the_processes_that_send_reports_and_no_other() -> None:
    environ = {"LEADGATE_MAIL_SERVER": "mailtos://user:hush@mail.example"}
    rules = playbook.load_default().playbook

    assert environment.select_for_flows(environ, rules).items() >= environ.items()
    for process in (
        environment.select_for_console(environ),
        environment.select_for_http_capture(environ, rules),
        environment.select_for_prefect_server(environ),
    ):
        assert environ.keys() & process.keys() == set()
