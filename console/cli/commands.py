"""Which commands there are, where each is, and what ``leadgate --help`` says of it.

Belongs here: the list, and importing a command when it is called: ``leadgate status`` does not wait for what
``leadgate work`` needs. Does not belong here: a command.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from keyword import iskeyword
from typing import Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from console.cli.options import WordsOptional


class Entry(NamedTuple):
    """A command: the module whose function has its name, and the first paragraph of that function's docstring.

    Where the name is a keyword of Python, the function's has an underscore behind it.
    """

    module: str
    summary: str
    cls: type[TyperCommand] = TyperCommand


class Group(NamedTuple):
    """Commands behind one word."""

    summary: str
    commands: Mapping[str, Entry]


#: In the order of ``leadgate --help``.
COMMANDS: Final[Mapping[str, Entry | Group]] = {
    "capture": Entry(
        "console.cli.capture", "Store the rows of files as signals. The same row again is no second signal."
    ),
    "run": Entry("console.cli.run", "Take waiting leads through the stages, then check the follow-up of owned leads."),
    "up": Entry(
        "console.service.up",
        "Keep everything running on this machine: PostgreSQL, Prefect, intake, schedules, HTTP capture, console.",
    ),
    "work": Entry(
        "console.cli.work", "Take leads through the stages all day, in this process; `leadgate up` does this and more."
    ),
    "worker": Entry(
        "console.cli.work",
        "Run scheduled flows, and flows that are started in the Prefect UI; only Leadgate's own flows.",
    ),
    "status": Entry(
        "console.cli.status",
        "Show which processes run, what waits, and how old the oldest waiting lead is; exit 1 "
        "when leads wait and no process takes them.",
    ),
    "deliver": Entry(
        "console.cli.deliver",
        "Send the messages that wait in the outbox, to the addresses of the playbook's notifications.",
    ),
    "listen": Entry(
        "console.http.listening",
        "Run HTTP capture alone, on loopback, until ctrl-C; `leadgate up` starts it with everything else.",
    ),
    "console": Entry(
        "console.web.serving",
        "Run the web console alone, on loopback, until ctrl-C; `leadgate up` starts it with everything else.",
    ),
    "summary": Entry("console.cli.summary", "Show on one screen what became of everything that was captured."),
    "report": Entry(
        "console.report.command",
        "Report the funnel, outcomes of qualified leads, speed to lead, load and fairness, and "
        "clean paths of leads and records.",
    ),
    "forecast": Entry(
        "console.forecast.command",
        "Show what opportunities come to by owner (won, commit, best case, pipeline), and what moved since and why.",
    ),
    "explain": Entry(
        "console.explain.command",
        "Explain one lead: what triggered it, who owns it and why, what evidence proves it "
        "worked, what happens when it fails.",
    ),
    "leads": Entry(
        "console.cli.leads",
        "List leads with their owner, the next due first, or search all leads. Your own leads show their names.",
    ),
    "records": Entry("console.cli.records", "List opportunities, renewals and expansions, the next to close first."),
    "queue": Entry(
        "console.cli.queue",
        "List open work items, the first due first: what is wrong, who decides, and by when (on "
        "this computer's clock).",
    ),
    "rerun": Entry(
        "console.cli.rerun",
        "Let held leads try their stage again, as they are, corrected, or done by hand; or discard them.",
    ),
    "review": Entry(
        "console.cli.review",
        "List what waits for a reviewer, with the evidence to decide by; or decide one work item.",
        WordsOptional,
    ),
    "accept": Entry(
        "console.cli.owner_decision",
        "Accept a lead or a record as its owner. An operator does so for the owner, with --for.",
    ),
    "reject": Entry(
        "console.cli.owner_decision",
        "Give a lead or a record back as its owner. An operator does so for the owner, with --for.",
    ),
    "reassign": Entry(
        "console.cli.reassignment",
        "Give an owned lead or record to another rep or to a pool. The playbook says what happens to its clock.",
    ),
    "unassign": Entry("console.cli.reassignment", "Take a lead or a record from its owner."),
    "transfer": Entry(
        "console.cli.reassignment",
        "Spread all leads and records of a rep who leaves evenly over their colleagues.",
    ),
    "wait": Entry(
        "console.cli.wait",
        "Stop the clocks of a lead or a record until a date, or until the lead does something or sends a new signal.",
    ),
    "resume": Entry("console.cli.wait", "End the wait for a lead or a record: its clocks run on."),
    "touch": Entry(
        "console.cli.touch", "Log by hand what a rep did about a lead or a record. A touch stops the owner's clock."
    ),
    "note": Entry(
        "console.cli.note", "Write a note about a lead. It is kept with the lead, and `leadgate explain` shows it."
    ),
    "away": Entry(
        "console.cli.away",
        "Say that a rep takes no leads from now on, until a moment or until they are back. Leads "
        "that they have stay theirs.",
    ),
    "back": Entry("console.cli.away", "Say that a rep who was away takes leads again."),
    "outcomes": Entry(
        "console.cli.outcomes",
        "Record outcomes of leads in bulk, with their dates in the past: figures learn from them, and no lead moves.",
    ),
    "undo": Entry(
        "console.cli.undo",
        "Undo an action, by the number that is printed after it, as long as nothing else has happened since.",
    ),
    "unjoin": Entry(
        "console.cli.unjoin",
        "Undo a join: the signal of this journey (J12) is about another person, and its journey goes on.",
    ),
    "verify": Entry("console.cli.verify", "Check the ledger's invariants; exit 1 when one is broken."),
    "replay": Entry(
        "console.cli.replay",
        "Show what another playbook would have decided: recorded decisions are made again, and nothing is stored.",
    ),
    "shadow": Group(
        "Have a draft of a playbook decide beside the one in use, on live leads, without any effect.",
        {
            "start": Entry(
                "console.cli.shadow",
                "Have a draft decide beside the playbook in use from now on. One that could not be activated is "
                "refused.",
            ),
            "show": Entry(
                "console.cli.shadow",
                "Show what the draft decides otherwise so far: how many leads, in which way, the most telling ones.",
            ),
            "run": Entry(
                "console.cli.shadow", "Decide now what was decided since the last pass; a schedule does it by itself."
            ),
            "stop": Entry("console.cli.shadow", "End the shadow. What it found is kept."),
        },
    ),
    "try": Entry(
        "console.cli.trial",
        "Show what leads and records would get under a playbook, or under two; nothing is stored and no turn taken.",
    ),
    "playbook": Group(
        "Check, show, compare, activate or copy the playbook.",
        {
            "check": Entry(
                "console.cli.playbook",
                "Name every problem of a playbook with its file and line; exit 2 when there is one. Its "
                "cases are tried, too.",
            ),
            "test": Entry(
                "console.cli.playbook_test",
                "Test whether the leads of the playbook's cases get what the cases expect; exit 1 when one does not.",
            ),
            "show": Entry("console.cli.playbook", "Print the playbook of the file, or one that decided earlier."),
            "diff": Entry(
                "console.cli.playbook_diff",
                "Show what differs between two playbooks, in words: rules, points, thresholds, routes, "
                "people, SLAs, and the rest.",
            ),
            "measure": Entry(
                "console.cli.playbook_measure",
                "Measure how well a playbook's points tell won leads from lost ones, and show the points "
                "that history would give.",
            ),
            "suggest": Entry(
                "console.cli.playbook_suggest",
                "Find the columns of a file of leads with outcomes that tell won from lost, and draft scoring "
                "rules to edit.",
            ),
            "activate": Entry(
                "console.cli.playbook_activation",
                "Make the content of a file the playbook in use, for every process. A playbook with "
                "problems or with failing cases is refused.",
            ),
            "history": Entry(
                "console.cli.playbook_activation",
                "List the playbooks that were in use: since when, by whom, how, and why.",
            ),
            "reason": Entry(
                "console.cli.playbook_activation", "Add a reason to an activation of a playbook afterwards."
            ),
            "rollback": Entry(
                "console.cli.playbook_activation",
                "Make the playbook that was in use before the one in use again. No file is changed.",
            ),
            "init": Entry(
                "console.cli.playbook",
                "Copy the bundled playbook and its cases into a folder, to be changed to what your team agrees on.",
            ),
        },
    ),
    "crm": Group(
        "Check, prepare, read and compare the playbook's CRMs.",
        {
            "check": Entry(
                "console.cli.crm_check",
                "Ask the playbook's CRMs whether reading and writing would work; writes nothing. "
                "Exit 1 when it would not.",
            ),
            "setup": Entry(
                "console.cli.crm_setup",
                "Create the fields that the playbook's CRMs lack, and tell what only a person can do. "
                "Exit 1 when something is left.",
            ),
            "reconcile": Entry(
                "console.cli.crm_reconcile",
                "Compare what was written to the playbook's CRMs with what they have now. "
                "Exit 1 when it is not the same.",
            ),
            "sync": Entry(
                "console.cli.crm_sync",
                "Read what changed in the playbook's CRMs since the last sync: leads, owners, deals, and "
                "activities of reps; and the answers of leads whose webhook sent only an id. Exit code 4 "
                "when one cannot be read.",
            ),
        },
    ),
    "score": Group(
        "Learn a score from outcomes, beside the points of the rules.",
        {
            "train": Entry(
                "console.cli.score",
                "Learn a score from the leads whose time is up, and keep it with how good it is.",
            ),
            "show": Entry(
                "console.cli.score",
                "Show a learned score: its leads, how good it is beside the points of the rules, and what it reads.",
            ),
            "promote": Entry(
                "console.cli.score",
                "Have a learned score come into force in a role. One that is not better than the rules, or has "
                "drifted, is a shadow at most.",
            ),
            "check": Entry(
                "console.cli.score",
                "Check whether the score in force has drifted; exit 1 when it has. One that has is a shadow from "
                "then on.",
            ),
            "history": Entry(
                "console.cli.score",
                "List learned scores: when, by whom, from how many leads, and how good each is.",
            ),
        },
    ),
    "quality": Group(
        "Build the pages about what gates found.",
        {
            "docs": Entry(
                "console.cli.quality",
                "Build Great Expectations' Data Docs now: suites and latest validations, as counts. The console shows "
                "them.",
            )
        },
    ),
    "secret": Group(
        "Make secrets for sources that post.",
        {
            "new": Entry(
                "console.cli.secret",
                "Print a new random secret, for a variable LEADGATE_SECRET_NAME and for its sender. It is "
                "stored nowhere.",
            )
        },
    ),
    "user": Group(
        "Create, list and change the accounts that may sign in to the console.",
        {
            "add": Entry(
                "console.cli.user",
                "Create an account. Asks for its password, or with --link prints a link that sets one.",
            ),
            "list": Entry("console.cli.user", "List the accounts, with their roles."),
            "roles": Entry("console.cli.user", "Give an account exactly these roles, from now on."),
            "password": Entry("console.cli.user", "Set another password for an account. Its sessions end."),
            "email": Entry("console.cli.user", "Set another e-mail address for an account; reports are sent there."),
            "disable": Entry(
                "console.cli.user", "Disable an account: nobody can sign in with it any more, and its sessions end."
            ),
            "enable": Entry("console.cli.user", "Enable an account again that `leadgate user disable` disabled."),
            "link": Entry(
                "console.cli.user", "Print a link with which a person sets the password of their account, once."
            ),
            "demo": Entry(
                "console.cli.user_demo",
                "Create accounts to try the console with, while there are none: everybody of the "
                "playbook, a reviewer, an operator, a privacy officer and an admin, all with one new "
                "password, which is printed.",
            ),
        },
    ),
    "views": Group(
        "List and send saved views of the report.",
        {
            "list": Entry(
                "console.cli.views",
                "List the saved views of everybody, with when each is sent and how the last sending went.",
            ),
            "send": Entry(
                "console.cli.views", "Send a saved view now, to the address of its account and to nobody else."
            ),
        },
    ),
    "version": Entry("console.cli.version", "Print the version of Leadgate."),
}


class LazyGroup(TyperGroup):
    """The commands of ``COMMANDS``, imported when they are called, not to be listed or completed by a shell."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        return TyperCommand(cmd_name, help=entry.summary) if self._listing else _build(cmd_name, entry)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        with self._list_only():
            super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        with self._list_only():
            return super().shell_complete(ctx, incomplete)

    @contextmanager
    def _list_only(self) -> Iterator[None]:
        """Names and summaries are all that is asked for."""
        self._listing = True
        try:
            yield
        finally:
            self._listing = False


def _build(name: str, entry: Entry | Group) -> Any:
    if isinstance(entry, Entry):
        return typer.main.get_command(_build_app({name: entry}))
    group = typer.main.get_group(_build_app(entry.commands, help=entry.summary))
    group.name = name
    return group


def _build_app(entries: Mapping[str, Entry], **settings: Any) -> typer.Typer:
    app = typer.Typer(add_completion=False, no_args_is_help=True, **settings)
    for name, entry in entries.items():
        app.command(name, cls=entry.cls)(import_function(name, entry))
    return app


def import_function(name: str, entry: Entry) -> Any:
    """The function of the command ``name``."""
    return getattr(import_module(entry.module), f"{name}_" if iskeyword(name) else name)
