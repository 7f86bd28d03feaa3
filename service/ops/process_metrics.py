"""Metrics of the process itself, as prometheus-client reads them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


def process_metrics() -> bytes:
    """Return memory, processor time and open files of this process in Prometheus' text format.

    The first call imports prometheus-client, which takes a tenth of a second: a daemon that serves no metrics never
    does.
    """
    from prometheus_client import generate_latest  # noqa: PLC0415

    return generate_latest(_process_registry())


@cache
def _process_registry() -> CollectorRegistry:
    from prometheus_client import CollectorRegistry, ProcessCollector  # noqa: PLC0415

    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    return registry
