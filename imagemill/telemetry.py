"""Metrics of the workers, those of the engine's own client included, for Prometheus to fetch."""

from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from imagemill.domain.errors import Misconfigured
from imagemill.settings import MetricsSettings


def runtime(settings: MetricsSettings) -> Runtime | None:
    """What a client is to be connected with; None where nobody fetches metrics.

    Raises:
        Misconfigured: nothing can listen at that address.
    """
    if settings.address is None:
        return None
    try:
        return Runtime(telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address=settings.address)))
    except (RuntimeError, ValueError) as error:
        raise Misconfigured(
            f"IMAGEMILL_METRICS_ADDRESS: nothing can listen at {settings.address}: {error}"
        ) from None
