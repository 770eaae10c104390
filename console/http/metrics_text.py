"""``/metrics``: the ledger's figures and the refused requests, in the text format of Prometheus.

Belongs here: names, labels and help of the metrics. Does not belong here: the queries (``leadgate.ledger.metrics``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from leadgate.ledger.crm_figures import CrmStanding
from leadgate.ledger.metrics import BUCKETS, Figures, Histogram

#: Name, help, and the value of a CRM.
_CRM_GAUGES: Final[tuple[tuple[str, str, Callable[[CrmStanding], float | None]], ...]] = (
    ("leadgate_crm_read_age_seconds", "How long ago all changes of a CRM were read.", lambda each: each.read_age),
    ("leadgate_crm_read_failures", "How often in a row reading a CRM failed.", lambda each: each.read_failures),
    ("leadgate_crm_write_failures", "How often in a row a CRM took nothing.", lambda each: each.write_failures),
    ("leadgate_crm_left_alone", "1 while a CRM is not asked.", lambda each: int(each.left_alone_until is not None)),
    ("leadgate_crm_requests_left", "Requests of the day that a CRM said were left.", lambda each: each.day_left),
    ("leadgate_crm_messages_waiting", "Messages that wait to be written to a CRM.", lambda each: each.waiting),
    (
        "leadgate_crm_oldest_waiting_seconds",
        "How long the oldest message to a CRM waits; 0 when none does.",
        lambda each: each.oldest_waiting or 0,
    ),
    ("leadgate_crm_records_gone", "Leads whose record is not in a CRM any more.", lambda each: each.gone),
)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Process(NamedTuple):
    """What this process counted since it started, and how it stands."""

    refused: Mapping[tuple[int, str], int]  # requests by status and error
    unauthorised: Mapping[str, int]  # requests by why their sender was not known
    closed: Mapping[str, int]  # connections by the limit that ended them
    connections: int  # that are open
    held_back: float  # seconds for which an answer is held back
    skew: float  # seconds by which its host's clock is ahead of the ledger's


def format_exposition(figures: Figures, process: Process) -> bytes:
    """All metrics."""
    registry = CollectorRegistry()
    registry.register(_Once([*_collect_ledger(figures), *_collect_process(process)]))
    return generate_latest(registry)


class _Once:
    """A collector of metrics that are known already."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _collect_ledger(figures: Figures) -> Iterator[Metric]:
    yield _build_family(
        CounterMetricFamily, "leadgate_signals_captured", "Signals in the ledger.", ["source"], figures.signals.items()
    )
    yield _build_family(
        CounterMetricFamily, "leadgate_activities_captured", "Activities in the ledger.", ["source"],
        figures.activities.items(),
    )  # fmt: skip
    yield _build_family(
        GaugeMetricFamily, "leadgate_crm_changes_waiting", "Changes of a CRM's records that were not followed yet.",
        ["source"], figures.crm_changes_waiting.items(),
    )  # fmt: skip
    yield _build_family(
        GaugeMetricFamily, "leadgate_journeys", "Journeys of leads by where they are now.", ["status", "stage"],
        figures.journeys.items(),
    )  # fmt: skip
    yield _build_family(
        GaugeMetricFamily, "leadgate_record_journeys", "Journeys of records by where they are now.",
        ["kind", "status", "stage"], figures.record_journeys.items(),
    )  # fmt: skip
    yield _build_family(
        CounterMetricFamily, "leadgate_request_ids_reused", "Requests whose id had named another body before.",
        ["source"], figures.reused.items(),
    )  # fmt: skip
    yield _build_family(
        GaugeMetricFamily, "leadgate_work_items_open", "Open work items.", ["reason"], figures.held.items()
    )
    yield GaugeMetricFamily(
        "leadgate_oldest_waiting_seconds",
        "How long the longest-waiting journey has been ready; 0 when none waits.",
        value=figures.oldest_waiting,
    )
    yield GaugeMetricFamily("leadgate_outbox_waiting", "Messages not delivered yet.", value=figures.outbox_waiting)
    yield _build_family(
        GaugeMetricFamily, "leadgate_provider_units_today", "Units spent at a service of enrichment, today by UTC.",
        ["provider"], figures.provider_units.items(),
    )  # fmt: skip
    yield _build_family(
        GaugeMetricFamily, "leadgate_provider_left_alone", "1 while a service of enrichment is not asked.",
        ["provider"], figures.providers_closed.items(),
    )  # fmt: skip
    yield from _collect_crms(figures.crms)
    yield _build_histogram("leadgate_capture_to_owner_seconds", "From capture to the first owner.", figures.to_owner)
    yield _build_histogram("leadgate_owner_to_touch_seconds", "From owner to first touch.", figures.to_first_touch)


def _collect_crms(crms: Sequence[CrmStanding]) -> Iterator[Metric]:
    """A value for each CRM of the playbook in use; none where nothing is known."""
    for name, help_, read in _CRM_GAUGES:
        values = [(each.crm, read(each)) for each in crms]
        yield _build_family(
            GaugeMetricFamily, name, help_, ["crm"], [(crm, value) for crm, value in values if value is not None]
        )


def _collect_process(process: Process) -> Iterator[Metric]:
    yield _build_family(
        CounterMetricFamily,
        "leadgate_http_refused",
        "Requests that this process refused, since it started.",
        ["status", "reason"],
        (((str(status), error), count) for (status, error), count in sorted(process.refused.items())),
    )
    yield _build_family(
        CounterMetricFamily, "leadgate_http_unauthorised", "Requests whose sender was not known, by what was wrong.",
        ["reason"], sorted(process.unauthorised.items()),
    )  # fmt: skip
    yield _build_family(
        CounterMetricFamily, "leadgate_http_connections_closed", "Connections that a limit ended.", ["reason"],
        sorted(process.closed.items()),
    )  # fmt: skip
    yield GaugeMetricFamily("leadgate_http_connections", "Open connections.", value=process.connections)
    yield GaugeMetricFamily(
        "leadgate_http_held_back_seconds",
        "How long an answer is held back, for so much waits.",
        value=process.held_back,
    )
    yield GaugeMetricFamily(
        "leadgate_clock_skew_seconds",
        "How far this host's clock is ahead of the ledger's; negative: behind. Nothing is dated or judged by it.",
        value=process.skew,
    )


def _build_family(kind: Any, name: str, help_: str, labels: list[str], values: Iterable[tuple[Any, float]]) -> Metric:
    family: Metric = kind(name, help_, labels=labels)
    for key, value in values:
        family.add_metric([key] if isinstance(key, str) else list(key), value)  # type: ignore[attr-defined]
    return family


def _build_histogram(name: str, help_: str, histogram: Histogram) -> Metric:
    bounds = [*map(str, BUCKETS), "+Inf"]
    family = HistogramMetricFamily(name, help_)
    family.add_metric([], list(zip(bounds, accumulate(histogram.counts), strict=True)), histogram.sum)
    return family
