"""What the control plane counts, put into words for `/metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastingress.observe.metrics import PROPAGATION_BUCKETS, Histogram, Page
from fastingress.publish import Outcome

if TYPE_CHECKING:
    from fastingress.app.cluster import ClusterSide


class Figures:
    """Collects, and writes the page."""

    def __init__(self) -> None:
        self._propagation = Histogram(PROPAGATION_BUCKETS)

    def note(self, outcome: Outcome) -> None:
        """A change set was applied."""
        if outcome.since_received is not None:
            self._propagation.observe(outcome.since_received)

    def text(self, digest: str, cluster: ClusterSide | None) -> str:
        """As things are now; `digest` is that of what is published."""
        page = Page()
        help_text = "The digest of all that is routed by: replicas that say the same serve the same"
        page.info("fastingress_digest", help_text, "digest", digest)
        help_text = "From the arrival of a change to the moment at which all workers route by it"
        page.histogram("fastingress_propagation_seconds", help_text, self._propagation)
        if cluster is not None:
            _of_source(page, cluster)
            _of_status(page, cluster)
        return page.text()


def _of_source(page: Page, cluster: ClusterSide) -> None:
    counters = cluster.source.counters()
    page.gauge("fastingress_api_reachable", "Whether the API server answers", counters.reachable)
    if counters.last_event_age is not None:
        page.gauge(
            "fastingress_api_last_event_seconds", "Since something arrived from the API server", counters.last_event_age
        )
    page.counter(
        "fastingress_api_relists", "Times that all objects were listed once more", "resource", counters.relists
    )
    page.counter(
        "fastingress_api_resumes", "Times that a watch went on where it had ended", "resource", counters.resumes
    )


def _of_status(page: Page, cluster: ClusterSide) -> None:
    if cluster.elector is not None:
        page.gauge("fastingress_leader", "Whether this replica writes status and Events", cluster.elector.leading)
    if cluster.status is not None:
        status = cluster.status.counters
        page.counter("fastingress_status_writes", "Writes of the status of an Ingress", "result", status.writes)
        page.gauge("fastingress_status_conflicts", "Ingresses whose status another owns", status.conflicts)
        page.gauge("fastingress_status_queue", "Ingresses whose status is to be looked at", status.queued)
    if cluster.events is not None:
        events = cluster.events.counters
        page.counter("fastingress_events", "Events that were written", "result", events.events)
        page.gauge("fastingress_events_queue", "Problems that are to be stated as Events", events.queued)
