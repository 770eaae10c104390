"""The fixtures of a real ledger, for these tests."""

from browser import browser
from commands import cli, log_in
from console_site import cheap_passwords, console, console_as_of
from crm_books import org, taken, use_book, written
from crm_fakes.hubspot.connected import hubspot
from harness import harness, ledger, loaded, postgres, settings, template, write_csv
from posting import client, environment
from replayed import five_owned, stricter

__all__ = [
    "browser",
    "cheap_passwords",
    "cli",
    "client",
    "console",
    "console_as_of",
    "environment",
    "five_owned",
    "harness",
    "hubspot",
    "ledger",
    "loaded",
    "log_in",
    "org",
    "postgres",
    "settings",
    "stricter",
    "taken",
    "template",
    "use_book",
    "write_csv",
    "written",
]
