"""Saved views by e-mail, sent to a real mail server: once for each due moment, to their account and to nobody else,
tried again, given up to a person, killed."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from email.message import EmailMessage
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import lxml.html
import pytest
from console_site import ADMIN
from forked import Child, own_ledger
from harness import NOW, Harness, make_actor, make_lead
from smtp_sink import Mailbox, taking_mail

import leadgate
import tasks
from console.report.mail import build_composer
from leadgate import actors
from leadgate.actors import Actor
from leadgate.ledger import Ledger, accounts, report_mails, reruns, saved_views
from leadgate.ledger.saved_views import SavedView, ViewError, ViewSettings
from leadgate.playbook import LoadedPlaybook
from leadgate.report_schedule import MailSchedule
from leadgate.settings import Settings
from leadgate.vocabulary import Role, ViewSchedule
from tasks.delivery import MOST_ATTEMPTS, WAITS
from tasks.report_mail import ENOUGH, LEASE, ReportMailReport, send_due

SECRET = "hush-hush-password"  # noqa: S105 - of a made-up mail server
CONSOLE = "https://leads.example.com"
#: Each day at noon in Berlin: an hour after the tests' moment.
DAILY = MailSchedule(ViewSchedule.DAILY, time(12), "Europe/Berlin")
DUE = datetime(2026, 3, 4, 11, 0, tzinfo=UTC)


@pytest.fixture
def worked(harness: Harness) -> Harness:
    harness.begin(*[make_lead(number, Title="Chief") for number in range(6)])
    return harness


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with taking_mail() as opened:
        yield opened


def add_person(ledger: Ledger, login: str, *roles: Role, email: str | None = None) -> Actor:
    accounts.add_account(
        ledger, login=login, name=login.title(), roles=roles or [Role.MANAGER], by=ADMIN, now=NOW,
        email=f"{login}@team.example" if email is None else email or None,
    )  # fmt: skip
    return Actor(login, roles=frozenset(roles or [Role.MANAGER]), login=login)


def save(harness: Harness, by: Actor, name: str = "My week", now: datetime = NOW, **more: Any) -> SavedView:
    return saved_views.save_view(harness.ledger, ViewSettings(name, **({"schedule": DAILY} | more)), by=by, now=now)


def find_address(box: Mailbox) -> str:
    """As Apprise writes a mail server: the receiver that it names gets nothing."""
    return f"mailto://127.0.0.1:{box.port}?from=Leads<leadgate@example.com>&to=somebody@else.example"


def send(harness: Harness, box: Mailbox | None, now: datetime = DUE, **more: Any) -> ReportMailReport:
    playbook = harness.loaded.playbook
    compose = more.pop("compose", build_composer(harness.ledger, playbook, CONSOLE))
    return send_due(harness.ledger, playbook, compose, None if box is None else find_address(box), now, **more)


def read_parts(message: EmailMessage) -> tuple[str, str]:
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    return plain.get_content(), html.get_content()


def list_steps(harness: Harness) -> list[str]:
    return [step for (step,) in harness.rows("SELECT step FROM report_mail ORDER BY id")]


# --- what it says -----------------------------------------------------------------------------------------


def test_a_view_comes_once_when_it_is_due_with_the_figures_and_those_before(worked: Harness, box: Mailbox) -> None:
    mia = add_person(worked.ledger, "mia")
    save(worked, mia, "Website, speed", section="speed", period="this_week", source="website")
    assert send(worked, box, DUE - timedelta(seconds=1)).outcomes == {}
    assert send(worked, box).outcomes == {"sent": 1}
    assert send(worked, box, DUE + timedelta(hours=23)).outcomes == {}
    (message,) = box.messages
    assert [[to.upper() for to in each] for each in box.envelopes] == [["RCPT TO:<MIA@TEAM.EXAMPLE>"]]
    assert message["To"] == "mia@team.example"
    assert message["From"] == "Leads <leadgate@example.com>"
    assert message["Subject"] == "Website, speed: 2026-03-02 to 2026-03-04"
    assert message.get_content_type() == "multipart/alternative"
    for part in read_parts(message):
        for words in ("Capture to owner", "First touch in time", "in the period before", "By rep", "Bob", "Qualified"):
            assert words in part
        assert "days and hours of Europe/Berlin" in part
    link = lxml.html.fromstring(read_parts(message)[1]).xpath("//a/@href")[0]
    assert link in read_parts(message)[0].replace("\n", "")
    assert link == (
        f"{CONSOLE}/reports?section=speed&since=2026-03-02&until=2026-03-04&source=website&zone=Europe%2FBerlin"
    )
    assert send(worked, box, DUE + timedelta(days=1)).outcomes == {"sent": 1}
    assert worked.find_broken() == []


MARKUP = {"html", "head", "meta", "title", "body", "h1", "h2", "h3", "p", "a", "br", "span"} | {
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip


class Elements(HTMLParser):
    """The elements of a document, and the addresses that their attributes name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "background", "srcset", "data")]
        self.fetched += [value or "" for name, value in attrs if name == "style" and "url(" in (value or "")]


def test_its_html_runs_nothing_and_fetches_nothing_whatever_is_stored(worked: Harness, box: Mailbox) -> None:
    hostile = "<script>alert(1)</script><img src=x>\u202e"
    worked.rows("UPDATE assignment SET pool = :hostile RETURNING id", hostile=hostile)
    save(worked, add_person(worked.ledger, "mia"), "<b>Mine</b>", section="speed")
    send(worked, box)
    text, html = read_parts(box.messages[0])
    elements = Elements(html)
    assert elements.names <= MARKUP
    assert elements.fetched == []
    assert "\u202e" not in html + text
    assert "<b>Mine</b>" in lxml.html.fromstring(html).text_content()


def test_no_name_becomes_a_header(worked: Harness, box: Mailbox) -> None:
    mia = add_person(worked.ledger, "mia")
    for name in ("x\r\nBcc: all@example.com", "x\nSubject: y", "x\u2028y", "x\u202ey", "", "  ", "n" * 81, "n" * 8_000):
        with pytest.raises(ViewError, match="a view's name"):
            save(worked, mia, name)
    save(worked, mia)
    with worked.ledger.transaction() as connection:  # as if it had been stored by something else
        connection.exec_driver_sql("UPDATE saved_view SET name = E'x\\r\\nBcc: all@example.com'")
    assert send(worked, box).outcomes == {"sent": 1}
    assert box.messages[0]["Subject"].startswith("x Bcc: all@example.com")
    assert box.messages[0]["Bcc"] is None
    assert len(box.envelopes[0]) == 1


# --- to whom ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["disabled", "role", "address", "two addresses"])
def test_who_may_not_have_it_any_more_at_that_moment_gets_none(worked: Harness, box: Mailbox, loss: str) -> None:
    mia = add_person(worked.ledger, "mia")
    save(worked, mia)
    if loss == "disabled":
        accounts.disable_account(worked.ledger, "mia", by=ADMIN, now=NOW)
    elif loss == "role":
        accounts.set_roles(worked.ledger, "mia", [Role.PRIVACY_OFFICER], by=ADMIN, now=NOW)
    else:
        email = None if loss == "address" else "mia@team.example, spy@rival.example"
        accounts.set_email(worked.ledger, "mia", email, by=ADMIN, now=NOW)
    assert send(worked, box).outcomes == {"refused": 1}
    assert box.messages == []
    assert send(worked, box).outcomes == {}
    accounts.set_roles(worked.ledger, "mia", [Role.MANAGER], by=ADMIN, now=NOW)
    accounts.enable_account(worked.ledger, "mia", by=ADMIN, now=NOW)
    accounts.set_email(worked.ledger, "mia", "mia@team.example", by=ADMIN, now=NOW)
    assert send(worked, box, DUE + timedelta(days=1)).outcomes == {"sent": 1}
    assert worked.find_broken() == []


def test_a_view_is_its_accounts_own(worked: Harness) -> None:
    mia, max_ = add_person(worked.ledger, "mia"), add_person(worked.ledger, "max")
    view = save(worked, mia)
    for do in (saved_views.pause_view, saved_views.resume_view, saved_views.delete_view, report_mails.ask_now):
        with pytest.raises(saved_views.NoViewError):
            do(worked.ledger, view.id, by=max_, now=NOW)
    with pytest.raises(saved_views.NoViewError):
        saved_views.change_view(worked.ledger, view.id, ViewSettings("theirs"), by=max_, now=NOW)
    assert saved_views.list_views(worked.ledger, max_) == []
    with pytest.raises(actors.ActorError):
        save(worked, Actor("ana", "ana", frozenset({"ana"}), roles=frozenset({Role.REP}), login="ana"))
    with pytest.raises(actors.ActorError):
        report_mails.ask_for(worked.ledger, view.id, by=mia, now=NOW)


def test_without_an_address_there_is_no_schedule(worked: Harness) -> None:
    mia = add_person(worked.ledger, "mia", email="")
    with pytest.raises(ViewError, match="no e-mail address"):
        save(worked, mia)
    assert save(worked, mia, schedule=None).schedule is None


# --- when -------------------------------------------------------------------------------------------------


def test_after_three_days_without_a_process_the_latest_alone_is_sent(worked: Harness, box: Mailbox) -> None:
    save(worked, add_person(worked.ledger, "mia"))
    assert send(worked, box, DUE + timedelta(days=3, hours=2)).outcomes == {"sent": 1}
    assert send(worked, box, DUE + timedelta(days=3, hours=3)).outcomes == {}
    assert worked.rows("SELECT DISTINCT due_at FROM report_mail") == [(DUE + timedelta(days=3),)]


def test_paused_changed_and_deleted_views_send_nothing_of_before(worked: Harness, box: Mailbox) -> None:
    mia = add_person(worked.ledger, "mia")
    view = save(worked, mia)
    saved_views.pause_view(worked.ledger, view.id, by=mia, now=NOW)
    assert send(worked, box).outcomes == {}
    later = DUE + timedelta(hours=1)
    saved_views.resume_view(worked.ledger, view.id, by=mia, now=later)
    assert send(worked, box, later).outcomes == {}
    at_ten = ViewSettings("Mine", schedule=MailSchedule(ViewSchedule.DAILY, time(10), "Europe/Berlin"))
    saved_views.change_view(worked.ledger, view.id, at_ten, by=mia, now=later)
    assert send(worked, box, later).outcomes == {}
    assert send(worked, box, DUE + timedelta(hours=22)).outcomes == {"sent": 1}
    assert send(worked, box, DUE + timedelta(days=1)).outcomes == {}
    saved_views.delete_view(worked.ledger, view.id, by=mia, now=DUE + timedelta(days=1))
    assert send(worked, box, DUE + timedelta(days=9)).outcomes == {}
    assert len(box.messages) == 1


def test_asked_for_it_is_sent_at_once_and_one_press_is_one_e_mail(worked: Harness, box: Mailbox) -> None:
    mia = add_person(worked.ledger, "mia")
    view = save(worked, mia, schedule=None)
    assert report_mails.ask_now(worked.ledger, view.id, by=mia, now=NOW)
    assert not report_mails.ask_now(worked.ledger, view.id, by=mia, now=NOW + timedelta(seconds=30))
    assert send(worked, box, NOW + timedelta(minutes=1)).outcomes == {"sent": 1}
    assert send(worked, box, NOW + timedelta(days=9)).outcomes == {}


def test_saved_twice_it_is_one_view(worked: Harness) -> None:
    mia = add_person(worked.ledger, "mia")
    assert save(worked, mia) == save(worked, mia)
    with pytest.raises(ViewError, match="already"):
        save(worked, mia, "MY WEEK", period="last_week")
    assert len(saved_views.list_views(worked.ledger, mia)) == 1


# --- failures ---------------------------------------------------------------------------------------------


def test_a_mail_server_that_refuses_is_tried_again_and_then_a_person_is_asked(worked: Harness, box: Mailbox) -> None:
    save(
        worked, add_person(worked.ledger, "mia"), schedule=MailSchedule(ViewSchedule.WEEKLY, time(12), "UTC", weekday=2)
    )
    box.refusal, now = "451 later", NOW + timedelta(hours=2)
    for wait in (*WAITS, *WAITS[-1:] * (MOST_ATTEMPTS - len(WAITS) - 1)):
        assert send(worked, box, now).failures == {
            "LEADGATE_MAIL_SERVER: the mail server refused the receiver (451)": 1
        }
        assert send(worked, box, now + wait - timedelta(seconds=1)).outcomes == {}
        now += wait
    assert send(worked, box, now).outcomes == {"given_up": 1}
    assert send(worked, box, now + timedelta(days=1)).outcomes == {}
    ((item, reason, message),) = worked.rows("SELECT id, reason, message FROM work_item WHERE closed_at IS NULL")
    assert (reason, "451" in message) == ("undeliverable", True)
    assert worked.find_broken() == []
    box.refusal = ""
    reruns.rerun(worked.ledger, [item], by=make_actor("rae"), now=now, playbook=worked.loaded.playbook)
    assert send(worked, box, now).outcomes == {"sent": 1}
    assert worked.rows("SELECT resolution FROM work_item WHERE reason = 'undeliverable'") == [("rerun",)]
    assert worked.find_broken() == []


def test_an_error_of_one_view_stops_no_other(worked: Harness, box: Mailbox) -> None:
    mia = add_person(worked.ledger, "mia")
    broken, gone, sound = (save(worked, mia, name) for name in ("broken", "gone", "sound"))
    worked.rows("UPDATE saved_view SET rep = 'nobody.of.that.name' WHERE name = 'gone' RETURNING id")
    composer = build_composer(worked.ledger, worked.loaded.playbook, CONSOLE)

    def compose(mail: Any, now: datetime) -> Any:
        if mail.view.id == broken.id:
            raise KeyError("a bug")
        return composer(mail, now)

    report = send(worked, box, compose=compose)
    assert report.outcomes == {"failed": 1, "refused": 1, "sent": 1}
    last = report_mails.list_last(worked.ledger, [each.id for each in (broken, gone, sound)])
    assert "there is no rep" in (last[gone.id].failure or "")
    assert "KeyError" in (last[broken.id].failure or "")
    assert "a bug" not in (last[broken.id].failure or "")


def test_a_mail_server_that_is_down_is_not_asked_for_each_view(worked: Harness, box: Mailbox) -> None:
    mia = add_person(worked.ledger, "mia")
    for number in range(ENOUGH + 2):
        save(worked, mia, f"View {number}")
    box.refusal = "451 later"
    assert send(worked, box).outcomes == {"failed": ENOUGH}
    box.refusal = ""
    assert send(worked, box).outcomes == {"sent": 2}


def test_without_a_mail_server_e_mails_wait(worked: Harness) -> None:
    save(worked, add_person(worked.ledger, "mia"))
    assert send(worked, None).without_server == 1
    assert list_steps(worked) == []


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (f"mailto://user:{SECRET}@127.0.0.1:1?from=a@b.example", "cannot be reached"),
        (f"json://{SECRET}@127.0.0.1/x", "none of a mail server"),
        (f"what://{SECRET}", "none of a mail server"),
        (SECRET, "none of a mail server"),
    ],
)
def test_the_mail_server_is_in_no_log_and_in_no_table(
    worked: Harness, address: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    save(worked, add_person(worked.ledger, "mia"))
    playbook = worked.loaded.playbook
    report = send_due(worked.ledger, playbook, build_composer(worked.ledger, playbook, CONSOLE), address, DUE)
    (failure,) = report.failures
    assert why in failure
    kept = str(worked.rows("SELECT row_to_json(m)::text FROM report_mail m"))
    for text in (failure, kept, "\n".join(record.getMessage() for record in caplog.records)):
        assert SECRET not in text


# --- several at once, and killed --------------------------------------------------------------------------


def send_in(settings: Settings, loaded: LoadedPlaybook, address: str, now: datetime) -> dict[str, int]:
    """A round in a process of its own."""
    with own_ledger(settings) as ledger:
        composer = build_composer(ledger, loaded.playbook, CONSOLE)
        return dict(send_due(ledger, loaded.playbook, composer, address, now).outcomes)


def test_two_at_once_send_each_e_mail_once(
    worked: Harness, settings: Settings, loaded: LoadedPlaybook, box: Mailbox
) -> None:
    mia = add_person(worked.ledger, "mia")
    views = [save(worked, mia, f"View {number}") for number in range(8)]
    work = partial(send_in, settings, loaded, find_address(box), DUE)
    done = [child.result() for child in (Child(work), Child(work))]
    assert sum(each.get("sent", 0) for each in done) == len(views) == len(box.messages)
    assert len({message["Message-ID"] for message in box.messages}) == len(views)


def failpoints() -> list[str]:
    """Where sending can be killed, as it stands in the source."""
    folders = [Path(package.__file__ or "").parent for package in (leadgate, tasks)]
    sources = [path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py")]
    named = r'\bfailpoint\("(report_mail\.[a-z_.]+)"\)'
    return sorted({name for source in sources for name in re.findall(named, source)})


@pytest.mark.parametrize("failpoint", failpoints())
def test_killed_anywhere_it_is_sent_after_the_lease_and_a_repeat_can_be_told(
    worked: Harness, settings: Settings, loaded: LoadedPlaybook, box: Mailbox, failpoint: str
) -> None:
    save(worked, add_person(worked.ledger, "mia"))
    giving_up = "give_up" in failpoint
    now = DUE
    if giving_up:
        box.refusal = "451 later"
        for number in range(MOST_ATTEMPTS - 1):
            send(worked, box, now)
            now += WAITS[min(number, len(WAITS) - 1)]
    work = partial(send_in, settings, loaded, find_address(box), now)
    assert Child(work, failpoint=failpoint).killed
    assert worked.find_broken() == []
    box.refusal = ""
    claimed = list_steps(worked)[-1:] == ["claimed"]
    assert send(worked, box, now + LEASE - timedelta(seconds=1)).outcomes == (
        {} if claimed or "mark.after" in failpoint or giving_up else {"sent": 1}
    )
    outcome = send(worked, box, now + LEASE).outcomes
    if giving_up:  # the process died over the last attempt: a person is asked, once
        assert outcome == ({} if failpoint.endswith(".after") else {"given_up": 1})
        assert worked.one("SELECT count(*) FROM work_item WHERE reason = 'undeliverable'") == 1
        assert box.messages == []
    else:
        twice = failpoint in ("report_mail.send.after", "report_mail.mark.before")
        assert len(box.messages) == (2 if twice else 1)
        assert len({message["Message-ID"] for message in box.messages}) == 1
        assert list_steps(worked).count("sent") == 1
    assert send(worked, box, now + LEASE + timedelta(hours=1)).outcomes == {}
    assert worked.find_broken() == []
