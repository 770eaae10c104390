"""The deployments: which flows people find in the Prefect UI, on which schedule, with which form.

Belongs here: the table below and registering it. ``prefect.yaml`` says the same for ``prefect deploy``; a test
compares the two. Does not belong here: what a flow does.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final
from uuid import UUID

import orjson
from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.schedules import Cron, Interval, Schedule
from prefect.types.entrypoint import EntrypointType

from flows.runtime.server import WORK_POOL
from flows.runtime.worker import ensure_work_pool

#: What every deployment was called once. One that is left is replaced when its successor is registered.
FORMER_NAME: Final = "leadgate"


@dataclass(frozen=True)
class Deployment:
    """A flow by its module path, so that it runs on whichever machine Leadgate is installed on.

    ``name`` is what the Prefect UI shows, so it says what a run does: `prefect deployment run FLOW/NAME`.
    """

    name: str
    flow: str
    entrypoint: str
    description: str
    tags: tuple[str, ...]
    every: timedelta | None = None
    cron: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.flow}/{self.name}"

    def schedule(self, *, active: bool) -> Schedule | None:
        """When it runs by itself, if it does."""
        if self.every is not None:
            return Interval(self.every, active=active)
        return None if self.cron is None else Cron(self.cron, active=active)

    def load(self) -> Flow[Any, Any]:
        """The flow itself."""
        module, _, name = self.entrypoint.rpartition(".")
        loaded: Flow[Any, Any] = getattr(import_module(module), name)
        return loaded


DEPLOYMENTS: Final = (
    Deployment(
        "intake",
        "intake",
        "flows.intake.intake",
        "Takes captured leads through the six stages. An always-on consumer does this by itself as soon as a lead is "
        "captured; the schedule is a safety net for when none runs. Switch the schedule off to pause both.",
        ("leadgate", "intake"),
        every=timedelta(minutes=15),
    ),
    Deployment(
        "follow-up-check",
        "follow-up",
        "flows.follow_up.follow_up",
        "Checks owned leads against their SLA: reminds, escalates, takes back; escalates work items nobody took.",
        ("leadgate", "follow-up"),
        every=timedelta(minutes=5),
    ),
    Deployment(
        "deliver-messages",
        "deliver",
        "flows.deliver.deliver",
        "Sends what waits in the outbox to the addresses that the playbook names. An always-on consumer does this "
        "by itself; the schedule is a safety net.",
        ("leadgate", "deliver"),
        every=timedelta(minutes=5),
    ),
    Deployment(
        "sync-crm",
        "sync-crm",
        "flows.sync_crm.sync_crm",
        "Reads what changed in the CRMs that the playbook reads, and the answers of leads that webhooks only name, as "
        "signals; `leadgate crm sync` does the same. Does nothing when the playbook reads none.",
        ("leadgate", "sync"),
        every=timedelta(minutes=5),
    ),
    Deployment(
        "reconcile-crm",
        "reconcile-crm",
        "flows.reconcile_crm.reconcile_crm",
        "Compares what was written to the playbook's CRMs in the last days with what they have now; "
        "`leadgate crm reconcile` does the same. Does nothing when the playbook writes to none.",
        ("leadgate", "reconcile"),
        cron="47 4 * * *",
    ),
    Deployment(
        "rerun-handoff",
        "rerun-handoff",
        "flows.rerun.rerun_handoff",
        "Lets held leads try their stage again: as they are, corrected, or as done by hand. Or discards them.",
        ("leadgate", "by hand"),
    ),
    Deployment(
        "review",
        "review",
        "flows.review.review",
        "Approves, rejects, corrects or takes a lead that waits for a person.",
        ("leadgate", "by hand"),
    ),
    Deployment(
        "transfer-leads",
        "transfer",
        "flows.transfer.transfer",
        "Spreads the leads of somebody who leaves evenly over their colleagues.",
        ("leadgate", "by hand"),
    ),
    Deployment(
        "build-data-docs",
        "data-docs",
        "flows.data_docs.data_docs",
        "Builds Great Expectations' Data Docs of the gates' suites and latest validations, which the console shows; "
        "`leadgate quality docs` does the same.",
        ("leadgate", "data docs"),
        every=timedelta(hours=1),
    ),
    Deployment(
        "train-score",
        "train-score",
        "flows.train_score.train_score",
        "Learns a score from the leads whose time is up, when the playbook asks for one and the newest is old enough, "
        "and has the one in force go back to being a shadow when it has drifted. `leadgate score train` and `check` do "
        "the same. Does nothing when the playbook asks for none.",
        ("leadgate", "learned score"),
        cron="37 2 * * *",
    ),
    Deployment(
        "run-shadow",
        "run-shadow",
        "flows.run_shadow.run_shadow",
        "Decides again what was decided since the last pass, under the draft that `leadgate shadow start` named, "
        "without any effect; `leadgate shadow run` does the same. Does nothing when there is no shadow.",
        ("leadgate", "shadow"),
        every=timedelta(minutes=5),
    ),
    Deployment(
        "housekeeping",
        "housekeeping",
        "flows.housekeeping.housekeeping",
        "Ends flow runs of dead processes, deletes flow runs and artifacts older than the playbook keeps them, and "
        "takes the day's snapshot of the forecast.",
        ("leadgate", "housekeeping"),
        cron="17 3 * * *",
    ),
)


async def register(client: PrefectClient) -> dict[str, UUID]:
    """Make the work pool and lock its job template; make every deployment that is missing or of another version.

    Returns ids by flow.

    One that is there in this version is left alone. What somebody paused stays paused, in a newer version and under a
    newer name too.
    """
    await ensure_work_pool(client)
    ids = {}
    for deployment in DEPLOYMENTS:
        flow = deployment.load()
        this_version = _compute_version(deployment, flow)
        # the former one is read first: another process that replaces it makes its successor before it deletes it
        former = await _read(client, f"{deployment.flow}/{FORMER_NAME}")
        there = await _read(client, deployment.full_name)
        if there is not None and there.version == this_version and former is None:
            ids[deployment.flow] = there.id
            continue
        known = [each for each in (former, there) if each is not None]
        made = await flow.ato_deployment(
            deployment.name,
            schedule=deployment.schedule(active=all(schedule.active for each in known for schedule in each.schedules)),
            paused=any(each.paused for each in known),
            parameters=deployment.parameters,
            description=deployment.description,
            tags=list(deployment.tags),
            version=this_version,
            work_pool_name=WORK_POOL,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        ids[deployment.flow] = await made.aapply()
        if former is not None:
            with contextlib.suppress(ObjectNotFound):  # another process was faster
                await client.delete_deployment(former.id)
    return ids


async def _read(client: PrefectClient, full_name: str) -> DeploymentResponse | None:
    try:
        return await client.read_deployment_by_name(full_name)
    except ObjectNotFound:
        return None


def _compute_version(deployment: Deployment, flow: Flow[Any, Any]) -> str:
    content = asdict(deployment) | {"form": flow.parameters.model_dump(mode="json")}
    digest = hashlib.sha256(orjson.dumps(content, default=str, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return f"{version('leadgate')}+{digest[:8]}"
