"""Messages to people, by Apprise: one message to one address.

Belongs here: Apprise's quirks, and keeping the address to ourselves. Does not belong here: what a message
says (``tasks.message_texts``), whose address it is, and when it is tried again (``tasks.delivery``, ``tasks.outbox``).

An address is a secret: it carries passwords and tokens. Apprise, and the HTTP library below it, write parts of
it to their logs, and exceptions quote it. So nothing that is logged while a message is sent is let through, and
a failure is told in words of our own.
"""

from __future__ import annotations

import contextlib
import logging
import re
import smtplib
import ssl
import threading
from collections.abc import Iterator
from email.headerregistry import Address
from email.message import EmailMessage
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from leadgate.plain_text import format_line, neutralise

if TYPE_CHECKING:  # it takes a while to import, and most commands send nothing
    from apprise import AppriseAsset


class NotifyError(Exception):
    """The message was not delivered; the message says why, without the address."""


def send(address: str, title: str, body: str) -> None:
    """Send plain text to an address in Apprise's notation. Raises ``NotifyError``.

    It is read as it is written, whatever the service makes of markup (``_as_read``).

    Connecting and each answer may take a few seconds, by the service, unless the address says otherwise
    (``?cto=10&rto=20``).
    """
    with _capturing_log() as heard:
        from apprise import Apprise, NotifyFormat, NotifyType

        try:
            service = Apprise.instantiate(address, asset=_build_asset())
        except Exception as error:
            raise NotifyError(f"the address cannot be used ({type(error).__name__})") from None
        if service is None:
            raise NotifyError("the address is none that Apprise knows")
        try:
            service.notify_format = NotifyFormat.TEXT  # an address may ask for HTML: then text would be taken for it
            sent = service.notify(
                title=_as_read(format_line(title, _TITLE), service),
                body=_as_read(body, service),
                notify_type=NotifyType.INFO,
                body_format=NotifyFormat.TEXT,
            )
        except Exception as error:
            raise NotifyError(f"sending failed ({type(error).__name__})") from None
    if not sent:
        raise NotifyError(_find_reason(heard))


#: Of addresses that no mail goes to, such as those of messages.
LOCAL_DOMAIN: Final = "leadgate.invalid"
_MAIL_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")


def is_mail_address(text: str) -> bool:
    """Whether ``text`` is one address, and nothing that a mail server or a header could take for more."""
    return _MAIL_ADDRESS.fullmatch(text) is not None


def send_mail(address: str, to: str, message: EmailMessage) -> None:
    """Send ``message`` to ``to`` alone, by the mail server and as the sender of an address in Apprise's notation
    (``mailto://``, ``mailtos://``); a receiver that it names gets nothing. Raises ``NotifyError``."""
    with _capturing_log():
        from apprise import Apprise
        from apprise.plugins.email import NotifyEmail

        try:
            server = Apprise.instantiate(address, asset=_build_asset())
        except Exception as error:
            raise NotifyError(f"the address cannot be used ({type(error).__name__})") from None
        if not isinstance(server, NotifyEmail):
            raise NotifyError("the address is none of a mail server; write it like mailtos://USER:PASSWORD@HOST")
        name, sender = str(server.from_addr[0] or "Leadgate"), str(server.from_addr[1])
        try:
            del message["From"]
            message["From"] = Address(format_line(name, _TITLE), addr_spec=sender)
            connection = _connect(server)
            try:
                connection.send_message(message, sender, [to])
            finally:
                with contextlib.suppress(OSError):  # the message is taken, or not, whatever follows
                    connection.quit()
        except smtplib.SMTPRecipientsRefused as error:
            codes = {code for code, _ in error.recipients.values()}
            raise NotifyError(f"the mail server refused the receiver ({', '.join(map(str, sorted(codes)))})") from None
        except smtplib.SMTPResponseException as error:
            raise NotifyError(f"the mail server answered {error.smtp_code}") from None
        except OSError:  # smtplib's other errors are some, too
            raise NotifyError("the mail server cannot be reached, or did not answer in time") from None
        except Exception as error:
            raise NotifyError(f"sending failed ({type(error).__name__})") from None


def _connect(server: Any) -> smtplib.SMTP:
    """A connection to the mail server of an address, signed in where it has a user and a password."""
    host, port, within = server.smtp_host, server.port, server.socket_connect_timeout
    context = ssl.create_default_context()
    if not server.verify_certificate:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if server.secure_mode == "ssl":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=within, context=context)
    else:
        connection = smtplib.SMTP(host, port, timeout=within)
    try:
        if server.secure_mode == "starttls":
            connection.starttls(context=context)
        if server.user and server.password:
            connection.login(server.user, server.password)
    except BaseException:
        connection.close()
        raise
    return connection


#: Characters of a title, which is the subject of a mail: a line break in it would begin another header.
_TITLE: Final = 150
#: Schemes whose receivers get plain text or a document that encodes it, and interpret nothing.
_VERBATIM: Final = frozenset({"json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos", "syslog"})


def _as_read(text: str, service: Any) -> str:
    """``text`` as the service shows it to people as it is.

    Apprise escapes for some services and in some formats: as text, it hands ``<https://…|words>`` to Slack, Markdown to
    Discord, and HTML to Telegram. So for every service that may interpret a text, nothing is left to be interpreted.
    """
    known = {*_list_schemes(service.protocol), *_list_schemes(service.secure_protocol)}
    return text if known and known <= _VERBATIM else neutralise(text)


def _list_schemes(protocol: Any) -> tuple[str, ...]:
    return (protocol,) if isinstance(protocol, str) else tuple(protocol or ())


@cache
def _build_asset() -> AppriseAsset:
    from apprise import AppriseAsset

    # nothing is kept on disk, and the calling thread does the work: so its log is ours to keep quiet
    return AppriseAsset(app_id="Leadgate", app_desc="Leadgate", async_mode=False, storage_mode="memory")


_STATUS: Final = re.compile(r"error=(\d{3})\b")


def _find_reason(heard: list[str]) -> str:
    """Why Apprise says it did not work. It says so in its log alone; only what cannot be a secret is taken."""
    for words in reversed(heard):
        if status := _STATUS.search(words):
            return f"the receiver answered {status[1]}"
        if "connection error" in words.casefold():
            return "the receiver cannot be reached, or did not answer in time"
    return "the receiver did not take it"


#: Who may log an address, or a part of one.
_TALKERS: Final = ("apprise", "urllib3", "requests", "httpx", "httpcore", "asyncio", "paho", "slixmpp", "gntp")
_sending = threading.local()


class _Quiet(logging.Filter):
    """Lets nothing through that a thread logs while it sends a message; keeps what Apprise says."""

    def filter(self, record: logging.LogRecord) -> bool:
        heard: list[str] | None = getattr(_sending, "heard", None)
        if heard is None:
            return not record.name.startswith("apprise")
        if record.name.startswith("apprise"):
            with contextlib.suppress(Exception):
                heard.append(record.getMessage())
        return False


_QUIET: Final = _Quiet()


@contextlib.contextmanager
def _capturing_log() -> Iterator[list[str]]:
    """What Apprise logs meanwhile in this thread, in place of it reaching any log."""
    heard: list[str] = []
    _sending.heard = heard
    _hush()
    try:
        yield heard
    finally:
        _sending.heard = None


def _hush() -> None:
    """Filters do not reach loggers below, and loggers come with the modules, so all that are there get it."""
    logging.getLogger("apprise").setLevel(logging.INFO)  # below it, payloads are written out for a log nobody sees
    known: dict[str, Any] = dict(logging.root.manager.loggerDict)
    for name in {*_TALKERS, *(name for name in known if name.partition(".")[0] in _TALKERS), "urllib3.connectionpool"}:
        logger = logging.getLogger(name)
        if _QUIET not in logger.filters:
            logger.addFilter(_QUIET)
