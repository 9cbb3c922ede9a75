"""Log lines for machines: one JSON object a line, with the id of the request that they belong to."""

from __future__ import annotations

import json
import logging
import re
import sys
import uuid
from datetime import UTC, datetime
from typing import Any

from flask import Request, Response, g, has_request_context

from search_app.web.settings import WebSettings

__all__ = ["JsonLines", "log_access", "log_to_stderr", "request_id"]

_SANE_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")
_access = logging.getLogger("search_app.access")


def request_id(request: Request) -> str:
    """The id that the client or a proxy gave the request, if it is harmless in a log; else a new one."""
    given = request.headers.get("X-Request-ID", "")
    return given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex


def log_access(request: Request, response: Response, route: str, seconds: float, settings: WebSettings) -> None:
    """One line for one answered request. Headers stay out, and with them keys; so does the query string, unless the
    settings ask for the query, and the address of the client, unless they ask for that."""
    fields: dict[str, Any] = {
        "method": request.method,
        "path": request.path,
        "route": route,
        "status": response.status_code,
        "bytes": response.calculate_content_length(),
        "ms": round(seconds * 1000, 2),
    }
    if settings.log_queries and "q" in request.args:
        fields["q"] = request.args["q"]
    if settings.log_clients:
        fields["client"] = request.remote_addr
    _access.info("%s %s %s", request.method, request.path, response.status_code, extra={"fields": fields})


class JsonLines(logging.Formatter):
    """A record as one line of JSON in ASCII, so that nothing in it can begin another line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
        }
        if has_request_context() and "request_id" in g:
            line["id"] = g.request_id
        fields = getattr(record, "fields", None)
        line |= fields if fields is not None else {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_to_stderr() -> None:
    """Send all log lines of this process to standard error as JSON: what `concord serve` does."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _access.setLevel(logging.INFO)
    # waitress warns once for every request that waits a moment for a thread.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
