"""Counters for Prometheus."""

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4"  # the character set is added
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """What one server counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ours: Any = {"namespace": "diamond_pricing", "registry": self.registry}
        labels = ["method", "route", "status"]
        self.requests = Histogram(
            "request_seconds", "Time to an answer", labels, buckets=_SECONDS, **ours
        )
        self.quotes = Counter("quotes", "Quotes stored", ["model"], **ours)
        self.prices = Counter("prices", "Prices told", ["kind"], **ours)
        self.declines = Counter("declines", "Stones not priced", ["code"], **ours)
        self.verdicts = Counter("verdicts", "Quotes by how sure they are", ["status"], **ours)
        unstored = "Prices told while nothing could be stored"
        self.unstored = Counter("unstored", unstored, **ours)
        again = "Stored quotes priced again: same, or different"
        self.rederived = Counter("rederived", again, ["outcome"], **ours)
        self.unforeseen = Counter("unforeseen", "Errors of ours", **ours)
        self.active = Gauge("active_model", "1", ["model"], **ours)
        self.swaps = Gauge("model_swaps", "Changes of the model", **ours)
        self.faults = Gauge("model_faults", "Models not taken", **ours)
        self._children: dict[tuple[int, str], Counter] = {}
        self._seen: dict[tuple[str, str, int], Callable[[float], None]] = {}

    def seen(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        key = (method, route, status)
        observe = self._seen.get(key)
        if observe is None:
            known = method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
            labels = (method if known else "other", route, str(status))
            observe = self.requests.labels(*labels).observe
            if known:
                self._seen[key] = observe
        observe(seconds)

    def count(self, counter: Counter, label: str, more: int = 1) -> None:
        """Add to a counter with one label, found again fast."""
        child = self._children.get((id(counter), label))
        if child is None:
            child = self._children[id(counter), label] = counter.labels(label)
        child.inc(more)

    def model(self, name: str, swaps: int, faults: int) -> None:
        """Say which model is active."""
        self.active.clear()
        self.active.labels(name).set(1)
        self.swaps.set(swaps)
        self.faults.set(faults)

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)
