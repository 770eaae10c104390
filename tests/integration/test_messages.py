"""Messages in the shapes of chat services, webhooks and mail, with hostile values in every field of every template.

Apprise makes the requests; they go to a receiver on loopback in place of the service.
"""

from __future__ import annotations

import html
import json
import re
import ssl
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, get_args

import pytest
import requests
from harness import NOW, PLAYBOOK, Harness, make_lead
from receiver import receiving
from smtp_sink import taking_mail

from leadgate import playbook as playbooks
from leadgate.connectors import notify
from leadgate.ledger import Ledger, outbox
from leadgate.ledger.message_facts import MessageFacts
from leadgate.ledger.outbox import Message
from leadgate.playbook import Playbook, ShownFact
from tasks import overdue
from tasks.message_texts import TEMPLATES, compose_digest, compose_message
from tasks.outbox import deliver_waiting

#: The address of the attack, and others of its kind.
ADDRESSES = [
    "x@<https://evil.example|URGENT>",
    "x@evil.example](https://evil.example)",
    "x@evil.example\r\nBcc: all@evil.example",
    "<!channel>@evil.example",
    "@everyone@evil.example",
    "x@everyone.example",
    "\u202ex\u200b@evil.example",
    "x@" + "a" * 300 + ".example",
    '<img src="https://evil.example">@x.example',
]
LABELS = [
    "<!channel> <https://evil.example|URGENT> @everyone @here <@U1> &amp;",
    "*_~`Ana`~_* [a](https://evil.example) ![](https://evil.example/x.png) <b>x</b> <at>all</at> {{x}} $x$",
    "Ana\r\nBcc: all@evil.example\r\n\r\n<script>alert(1)</script>\u202e\u200b\x1b[31m",
    "A" * 500,
]
TEXT = """
version: 1
name: Tests
sources: {website: {}}
reps: [{name: ana, label: LABEL}, {name: bob}]
pools: [{name: all, members: [{rep: ana}]}]
routing: [{name: all, to: pool all}]
"""


#: Everything that a notification can show.
FACTS: tuple[ShownFact, ...] = get_args(ShownFact)


def playbook(label: str) -> Playbook:
    return playbooks.parse(TEXT.replace("LABEL", json.dumps(label)), path=Path("tests.yaml")).playbook


def messages() -> Iterator[tuple[str, str]]:
    """Every template, each with every address, every label and every form: title and body."""
    for number, kind in enumerate([*TEMPLATES, "of_tomorrow"]):
        for turn, address in enumerate(ADDRESSES):
            told = Message(
                id=1, key=f"{kind}:12:{number}", journey_id=12, target="ana" if turn % 2 else "m@<https://evil.example>",
                kind=kind, attempts=1, created_at=NOW, claimed_at=NOW, lead_id=7, source="website", generation=0,
                owner="ana", due_at=NOW, email=address, phone=address, has_contact=True,
            )  # fmt: skip
            ours = playbook(LABELS[(number + turn) % len(LABELS)])
            typed = [*ADDRESSES, *LABELS][(number + turn) % (len(ADDRESSES) + len(LABELS))]
            facts = MessageFacts(12, name=typed, job_title=typed, company=typed, country=typed, grade=typed)
            # in turn: each form of a message meets each address and each label
            form = (number + turn // 2) % 3
            if form == 0:
                text = compose_message(told, ours, NOW)
            elif form == 1:
                text = compose_message(told, ours, NOW, shows=FACTS, facts=facts)
            else:
                text = compose_digest([told] * 30, ours, NOW, shows=FACTS, facts={12: facts})
            yield text.title, text.body


SERVICES = {
    "slack": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7/#leads",
    "slack asked for markdown": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7/#leads?format=markdown",
    "slack blocks": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7/#leads?blocks=yes",
    "teams": "workflows://host.example/643e2d1a8d4a4c7c9d9a3b1c2d3e4f5a/signature_of_the_flow-12345",
    "discord": "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "telegram": "tgram://123456789:abcdefg_hijklmnop/12315544/",
    "telegram asked for html": "tgram://123456789:abcdefg_hijklmnop/12315544/?format=html",
    "mattermost": "mmost://host.example/3ccdd113474722377935511fc85d3dd4",
    "google chat": "gchat://workspace/key-of-it/token-of-it",
}


@pytest.fixture
def to_loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What services would have been posted: their requests go to a server on loopback."""
    taken: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer = b"ok" if "slack" in self.path else b'{"ok": true, "result": {}}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    send = requests.adapters.HTTPAdapter.send

    def elsewhere(adapter: Any, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        request.url = f"http://127.0.0.1:{server.server_address[1]}/{(request.url or '').partition('://')[2]}"
        return send(adapter, request, **more)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", elsewhere)
    # Apprise waits between posts to a service, so as not to be taken for a flood
    monkeypatch.setattr("apprise.URLBase.throttle", lambda *_, **__: None)
    monkeypatch.setattr("apprise.plugins.telegram.NotifyTelegram.throttle", lambda *_, **__: None)
    try:
        yield taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def texts(posted: Any) -> Iterator[str]:
    """Every text of a post that comes from a message: no addresses of images, no names of formats."""
    if isinstance(posted, dict):
        for name, value in posted.items():
            if name in ("text", "content", "title", "description", "fallback"):
                yield from texts(value) if not isinstance(value, str) else [value]
            elif isinstance(value, (dict, list)):
                yield from texts(value)
    elif isinstance(posted, list):
        for value in posted:
            yield from texts(value)


#: What Slack, Teams, Discord, Telegram and their like would make more of than text; entities are looked at decoded.
INTERPRETED = re.compile(r"[<>&*~`|\[\]\\@{}$]|(?<![^\W_])_|_(?![^\W_])")
OF_A_LEAD = re.compile(r"Lead: |Who: |Phone: |E-mail: |J\d+: ")
ACTIVE = re.compile(r"(?i)(https?|mailto):\S|evil\.example|everyone\.example|[\x00-\x09\x0b-\x1f\u200b\u202e]")


@pytest.mark.parametrize("service", SERVICES)
def test_a_chat_shows_plain_text_whatever_a_lead_or_a_playbook_says(
    service: str, to_loopback: list[dict[str, Any]]
) -> None:
    sent = list(messages())
    for title, body in sent:
        notify.send(SERVICES[service], title, body)
    assert len(to_loopback) == len(sent)
    for posted, (_, body) in zip(to_loopback, sent, strict=True):
        shown = [text.replace("\r", "") for text in texts(posted)]
        assert any(body.splitlines()[-1] in text for text in shown), "the key is read as it is"
        for text in shown:
            assert not INTERPRETED.search(html.unescape(text)), text
            assert "\n\n" not in text.rstrip("\n"), "a value has one line"
        told = [line for text in shown for line in text.splitlines() if OF_A_LEAD.match(line)]
        assert told
        assert not [line for line in told if ACTIVE.search(line)]


def test_a_webhook_gets_the_words_as_they_are_and_nothing_that_could_not_be_validated() -> None:
    sent = list(messages())
    with receiving() as receiver:
        for title, body in sent:
            notify.send(receiver.address, title, body)
        assert [message["message"] for message in receiver.messages] == [body for _, body in sent]
    leads = {line for _, body in sent for line in body.splitlines() if line.startswith("Lead: ")}
    assert leads == {
        "Lead: an address that could not be validated, from website",
        "Lead: x••• at everyone[.]example, from website",  # this is one
    }


def test_a_mail_has_the_headers_it_should_and_its_text_is_no_html(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apprise.URLBase.throttle", lambda *_, **__: None)
    # the certificates of the machine take 50 ms to load, for each message, and none is used
    monkeypatch.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
    sent = [*messages(), ("Title\r\nBcc: all@evil.example\r\n\r\nbody", "first\nKey: x:1")]
    for more in ("", "&format=html"):
        with taking_mail() as box:
            address = (
                f"mailto://127.0.0.1:{box.port}/?from=leadgate@ours.example&to=ana@ours.example&mode=insecure{more}"
            )
            for title, body in sent:
                notify.send(address, title, body)
            assert len(box.messages) == len(sent)
            for message, recipients, (_, body) in zip(box.messages, box.envelopes, sent, strict=True):
                assert len(recipients) == 1
                assert "ana@ours.example" in recipients[0].lower()
                assert message["Bcc"] is None
                assert "\n" not in message["Subject"]
                assert [part.get_content_type() for part in message.walk()] == ["text/plain"]
                assert message.get_content().replace("\r", "").rstrip() == body.rstrip()


# --- through the whole --------------------------------------------------------------------------------------

NOTIFIED = "\nnotifications: [{to: everybody, address_env: NOTIFY_EVERYBODY}]\n"


def test_an_address_that_is_held_never_leaves_and_one_that_is_good_leaves_masked(ledger: Ledger) -> None:
    """The lead behind an overdue work item has no valid address yet: what it typed is not told."""
    harness = Harness(ledger, playbooks.parse(PLAYBOOK + NOTIFIED, path=Path("tests.yaml")))
    harness.begin(
        *(make_lead(n, Email=address, Phone="") for n, address in enumerate(ADDRESSES, start=1)), make_lead(50)
    )
    later = NOW + timedelta(days=3)
    overdue.escalate_overdue(ledger, harness.loaded.playbook, later)
    with receiving() as receiver:
        deliver_waiting(ledger, harness.loaded.playbook, later, environ={"NOTIFY_EVERYBODY": receiver.address})
        told = [message["message"] for message in receiver.messages]
    kinds = {row[0] for row in harness.rows("SELECT DISTINCT kind FROM outbox")}
    assert {"work_item_overdue", "lead_assigned"} <= kinds
    assert any("an address that could not be validated" in each for each in told)
    assert any("l••• at company50[.]example" in each for each in told)
    assert not [each for each in told if re.search(r"evil\.example|URGENT|channel|@", each)]


def test_a_correction_that_waits_for_validation_is_not_told(ledger: Ledger) -> None:
    harness = Harness(ledger, playbooks.parse(PLAYBOOK + NOTIFIED, path=Path("tests.yaml")))
    harness.begin(make_lead(1))
    harness.rows("UPDATE lead SET email = 'x@<https://evil.example|URGENT>' RETURNING 1")
    message = outbox.claim(ledger, ["ana", "bob", "cyn"], now=NOW, lease=timedelta(minutes=1))
    assert message is not None
    assert "evil" not in compose_message(message, harness.loaded.playbook, NOW).body
