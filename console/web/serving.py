"""``leadgate console``: the web console as a process, on loopback.

Belongs here: the command, and what is said at its start. Does not belong here: any page (``app``), or the life of a
server process (``console.http.serving``).
"""

from __future__ import annotations

import contextlib
import sys
from typing import Annotated, Final

import typer

from console.command_context import CommandContext
from console.http.connections import Connections, Limits, raise_descriptors
from console.http.serving import Server, build_config, open_socket
from console.screen import say
from console.web.addresses import build_address, build_first_link, is_secure
from console.web.app import build_app
from console.web.sign_in_settings import SignInSettings
from console.web.site import Site, SiteOptions
from leadgate.ledger import open_ledger
from tasks.playbook_in_use import PlaybookInUse

_CONNECTIONS: Final = 16  # those who look at pages at a time, beside figures that are being computed
Port = Annotated[
    int | None, typer.Option("--port", min=1, max=65_535, help="The port, in place of LEADGATE_CONSOLE_PORT.")
]
PrefectUrl = Annotated[
    str | None, typer.Option("--prefect-url", metavar="URL", help="The address of the Prefect UI, for links to it.")
]
Link = Annotated[bool, typer.Option("--link/--no-link", help="Print the link that makes the first account.")]


def console(ctx: typer.Context, port: Port = None, prefect_url: PrefectUrl = None, link: Link = True) -> None:
    """Run the web console alone, on loopback, until ctrl-C; `leadgate up` starts it with everything else."""
    context: CommandContext = ctx.obj
    settings = context.settings
    loaded = context.load_checked_playbook()
    with (
        contextlib.closing(open_socket(port or settings.console_port, "LEADGATE_CONSOLE_PORT")) as taken,
        open_ledger(settings, connections=_CONNECTIONS) as ledger,
    ):
        # a page comes back from each of its statements through this lock; at 5 ms, waiting for it takes the most time
        sys.setswitchinterval(0.0005)
        here = build_address(settings, taken.getsockname()[1])
        options = SiteOptions(here, prefect_url, secure=is_secure(here), sign_in=SignInSettings.from_environment())
        if not options.secure:
            say(f"Warning: {here} is neither HTTPS nor this machine: anybody on the way can read what is sent.")
        connections = Connections(Limits.of(raise_descriptors()), settings.trusted_proxies)
        in_use = PlaybookInUse(ledger, loaded, say)
        site = Site(ledger, in_use.settle(), settings, options, in_use=in_use)
        sys.stdout.write(f"{here}\n")
        if link and (first := build_first_link(ledger, here)) is not None:
            sys.stdout.write(f"Nobody has an account yet. Make the first one: {first}\n")
        sys.stdout.write("Listening until ctrl-C.\n")
        sys.stdout.flush()
        Server(build_config(build_app(site), connections), "console", site.changes.end).run(sockets=[taken])
    say("Stopped.")


if __name__ == "__main__":
    from console.cli import main

    sys.argv[1:1] = ["console"]
    main()
