"""Logs: one line an event, as JSON when nobody watches, in colours on a terminal. Fields are chosen by us."""

import logging
import sys

import structlog


def configure() -> None:
    """Set up logging for a serving process, on standard error."""
    watched = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if watched else [structlog.processors.format_exc_info]),
            structlog.dev.ConsoleRenderer() if watched else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
