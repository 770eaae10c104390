"""A suite that is prepared once and then answers about one frame after the other.

Belongs here: expectations with the metrics that they need, and asking Great Expectations for these. Imported when the
first gate runs, because it imports Great Expectations. Does not belong here: what is asked and what follows (``gate``).

An optimisation. Great Expectations plans each validation anew: which metrics every expectation needs, which metrics
those need, and in what order all of them are computed. The plan of a suite never changes, so it is made once, by
expectations that remember what they were made of. The six gates of a batch of one lead take 22 ms of CPU time in place
of 240; with the plan alone it would be 145 (``make bench-optimisations``). Metrics and verdicts are still those of
Great Expectations' own execution engine and expectations. Where one of these raises an error, the suite is
validated the plain way (``validate``), which tells at which expectation.

A suite belongs to one thread: expectations keep what they have made.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from functools import cache
from itertools import zip_longest
from typing import Any, Final

import pandas as pd

from expectations import (
    late_imports,  # noqa: F401 - before Great Expectations is imported
    matching,
)
from expectations.promises import Promise
from expectations.view import name_own_column

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read on import

import great_expectations as gx
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.registry import get_expectation_impl
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.metrics_calculator import MetricsCalculator
from great_expectations.validator.validator import ValidationDependencies
from pydantic.v1 import PrivateAttr

# it tells of every temporary folder that a context makes, and sets its own level on import
logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)

_BATCH: Final = "handoff"  # the name of whatever frame is asked about

_Level = dict[Any, MetricConfiguration]  # metrics by their ids


class PreparedSuite:
    """The expectations of ``promises``, in order."""

    def __init__(self, promises: Sequence[Promise]) -> None:
        self.configurations = [_build_configuration(promise) for promise in promises]
        self._expectations = [_add_batch_id(each).to_domain_obj() for each in self.configurations]
        self._plans: dict[tuple[str, int], list[_Level]] = {}  # of one expectation
        self._whole: dict[str, list[_Level]] = {}  # of all of them

    def ask(self, frame: pd.DataFrame, detail: dict[str, Any], which: Sequence[int] | None = None) -> list[Any]:
        """What Great Expectations answers about ``frame``, for each of the expectations ``which`` (none: for all).

        ``detail`` is a result format. An expectation that could not be evaluated has an answer with the error.
        """
        asked = range(len(self._expectations)) if which is None else which
        try:
            return self._ask(frame, detail, asked)
        except Exception:
            return validate(frame, [self.configurations[number] for number in asked], detail)

    def _ask(self, frame: pd.DataFrame, detail: dict[str, Any], asked: Sequence[int]) -> list[Any]:
        engine = PandasExecutionEngine(caching=False, batch_data_dict={_BATCH: frame})
        metrics: dict[Any, Any] = {}
        for level in self._plan(engine, detail, asked):
            metrics |= engine.resolve_metrics(level.values(), metrics, runtime_configuration=_build_runtime(detail))
        return [
            self._expectations[number].metrics_validate(
                metrics=metrics, execution_engine=engine, runtime_configuration=_build_runtime(detail)
            )
            for number in asked
        ]

    def _plan(self, engine: PandasExecutionEngine, detail: dict[str, Any], asked: Sequence[int]) -> list[_Level]:
        """The metrics that ``asked`` need, each once, and each on a level above those that it needs itself."""
        kind = detail["result_format"]
        if len(asked) == len(self._expectations):
            if kind not in self._whole:
                self._whole[kind] = _merge_plans([self._plan_one(engine, detail, number) for number in asked])
            return self._whole[kind]
        return _merge_plans([self._plan_one(engine, detail, number) for number in asked])

    def _plan_one(self, engine: PandasExecutionEngine, detail: dict[str, Any], number: int) -> list[_Level]:
        key = (detail["result_format"], number)
        if key not in self._plans:
            self._plans[key] = _plan(self._expectations[number], engine, detail)
        return self._plans[key]


def validate(frame: pd.DataFrame, configurations: Sequence[Any], detail: dict[str, Any]) -> list[Any]:
    """The answers of a plain validation of ``frame``, in the order of ``configurations``."""
    batch = _load_batches().get_batch(batch_parameters={"dataframe": frame})
    suite = gx.ExpectationSuite(name="handoff", expectations=[each.to_domain_obj() for each in configurations])
    answers = batch.validate(suite, result_format=dict(detail)).results  # it changes what it is given
    by_promise = {answer.expectation_config.meta["promise"]: answer for answer in answers}
    return [by_promise[each.meta["promise"]] for each in configurations]


_this_thread = threading.local()
_one_at_a_time = threading.Lock()  # making a context sets the process's project


def _load_batches() -> Any:
    """The batch definition of this thread's own context: a shared one returns wrong results without an error."""
    if getattr(_this_thread, "batches", None) is None:
        with _one_at_a_time:
            context = gx.get_context(mode="ephemeral")
            context.variables.progress_bars = {"globally": False}
            asset = context.data_sources.add_pandas("leadgate").add_dataframe_asset("handoff")
            _this_thread.batches = asset.add_batch_definition_whole_dataframe("batch")
    return _this_thread.batches


def _build_configuration(promise: Promise) -> ExpectationConfiguration:
    own = name_own_column(promise)
    return ExpectationConfiguration(
        type=_register_cached(promise.expectation),
        kwargs={**promise.arguments, **({"column": own} if own else {})},
        meta={"promise": promise.name},
        severity=promise.severity,
    )


def _add_batch_id(configuration: ExpectationConfiguration) -> ExpectationConfiguration:
    return ExpectationConfiguration(
        type=configuration.type,
        kwargs={**configuration.kwargs, "batch_id": _BATCH},
        meta=configuration.meta,
        severity=configuration.severity,
    )


def _build_runtime(detail: dict[str, Any]) -> dict[str, Any]:
    """For one call: Great Expectations changes what it is given."""
    return {"result_format": dict(detail)}


def _plan(expectation: Expectation, engine: PandasExecutionEngine, detail: dict[str, Any]) -> list[_Level]:
    """The metrics of one expectation, level by level."""
    needs = expectation.get_validation_dependencies(
        execution_engine=engine, runtime_configuration=_build_runtime(detail)
    )
    graph = MetricsCalculator(engine).build_metric_dependency_graph(
        metric_configurations=needs.get_metric_configurations(), runtime_configuration=_build_runtime(detail)
    )
    metrics = {edge.left.id: edge.left for edge in graph.edges}
    needed: dict[Any, set[Any]] = {identity: set() for identity in metrics}
    for edge in graph.edges:
        if edge.right is not None:
            needed[edge.left.id].add(edge.right.id)
    levels: list[_Level] = []
    placed: set[Any] = set()
    while len(placed) < len(metrics):
        level = {identity: metric for identity, metric in metrics.items() if identity not in placed}
        level = {identity: metric for identity, metric in level.items() if needed[identity] <= placed}
        if not level:
            raise ValueError("metrics that need one another")
        levels.append(level)
        placed |= level.keys()
    return levels


def _merge_plans(plans: Sequence[list[_Level]]) -> list[_Level]:
    """One plan of several. What a metric needs is the same in each of them, and so is its level."""
    together: list[_Level] = []
    for levels in zip_longest(*plans, fillvalue={}):
        merged: _Level = {}
        for level in levels:
            merged |= level
        together.append(merged)
    return together


@cache
def _register_cached(expectation: str) -> str:
    """The name of an expectation that does what ``expectation`` does, and makes its configuration and the list of
    metrics that it needs once.

    An optimisation: Great Expectations asks an expectation for its configuration some eighty times a validation, and
    makes it anew each time. Ours never change once they are made. A planned gate takes a seventh of the CPU time by it.
    """
    kind: Any = matching.find_linear(expectation) or get_expectation_impl(expectation)

    def get_configuration(self: Any) -> Any:
        if self._made is None:
            self._made = kind.configuration.fget(self)
        return self._made

    def get_dependencies(
        self: Any, execution_engine: Any = None, runtime_configuration: Any = None
    ) -> ValidationDependencies:
        detail = repr((runtime_configuration or {}).get("result_format"))
        if detail not in self._needs:
            self._needs[detail] = kind.get_validation_dependencies(self, execution_engine, runtime_configuration)
        known = self._needs[detail]
        return ValidationDependencies(dict(known.metric_configurations), dict(known.result_format))

    name = f"Remembering{kind.__name__}"
    body = {
        "__module__": __name__,
        "_made": PrivateAttr(None),
        "_needs": PrivateAttr(default_factory=dict),
        "configuration": property(get_configuration),
        "get_validation_dependencies": get_dependencies,
    }
    remembering = type(kind)(name, (kind,), body)  # being made, it is registered
    return str(remembering.expectation_type)
