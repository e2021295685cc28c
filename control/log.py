"""Logs: one line an event, as JSON when nobody watches, in colours on a terminal. Fields are chosen by us."""

import logging
import sys

import structlog


def configure() -> None:
    """Set up logging for a serving process, on standard error."""
    # Tracebacks without local variables: those may hold a password.
    watched = sys.stderr.isatty()
    shown = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    rendered = shown if watched else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if watched else [structlog.processors.format_exc_info]),
            rendered,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
