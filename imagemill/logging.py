"""Structured logs: for people on a terminal, JSON lines everywhere else. Never a prompt, key or address."""

import logging
import sys

import structlog


def configure(service: str) -> None:
    """Set up structlog and the standard library's logging; ``service`` is in every line."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.types.Processor = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Their lines hold addresses of requests, which may be presigned, and bodies.
    for chatty in (
        "httpx2",
        "httpcore2",
        "httpx",
        "httpcore",
        "openai",
        "botocore",
        "boto3",
        "urllib3",
        "s3transfer",
    ):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(service=service)
