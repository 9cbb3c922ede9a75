"""What went wrong, as (status, slug, title, detail), and as application/problem+json (RFC 9457)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Literal

from flask import Response, g, request
from pydantic import BaseModel, Field
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from indexer.errors import ConcordError
from search_app.serialise import dumps
from search_app.stages import OutOfTime

__all__ = [
    "Draining",
    "Failure",
    "Forbidden",
    "Health",
    "Overloaded",
    "Problem",
    "RequestTooLarge",
    "TooManyRequests",
    "Unauthorised",
    "UriTooLong",
    "json_response",
    "problem_response",
]

_RETRY_SECONDS = 2
"""What Retry-After says where nothing better is known."""
_DETAILS = {
    404: "There is nothing at this address.",
    405: "This address can only be read: use GET.",
    500: "Something went wrong on our side; the fault has been logged.",
}
_SERVER_SIDE = "The archive cannot be searched at the moment; the log of this server says why."

_log = logging.getLogger(__name__)


class Refused(ConcordError):
    """A request that is not worked on; nothing is wrong with the site, so none is logged as an error."""


class Overloaded(Refused):
    """More is asked at the moment than the site works on."""

    status = 503
    slug = "overloaded"


class Draining(Refused):
    """The server is about to stop."""

    status = 503
    slug = "draining"


class TooManyRequests(Refused):
    """This client asks more often than it may."""

    status = 429
    slug = "too-many-requests"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, retry_after)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return str(self.args[0])


class Unauthorised(Refused):
    """The API wants a key, and this is none."""

    status = 401
    slug = "unauthorized"


class Forbidden(Refused):
    """This address is not for this client."""

    status = 403
    slug = "forbidden"


class UriTooLong(Refused):
    """The address is longer than allowed."""

    status = 414
    slug = "uri-too-long"


class RequestTooLarge(Refused):
    """The body is larger than allowed."""

    status = 413
    slug = "content-too-large"


class Health(BaseModel):
    """The answer of a site that can be searched; one that cannot answers with a problem.

    'stale' answers from an older generation, because the newest one cannot be opened; the log says why, and
    /api/v1/status does to this machine itself.
    """

    status: Literal["ready", "stale"] = "ready"


class Problem(BaseModel):
    """An error as RFC 9457 has it."""

    type: str = Field(description="urn:concord:problem: and a name that does not change.")
    title: str = Field(description="The HTTP status in words.")
    status: int
    detail: str = Field(
        description="One sentence: what was seen, what is allowed, the way out; of a fault of the server, only that."
    )
    instance: str = Field(description="The path that was asked for.")


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception as a reader gets to see it: never a traceback, never the text of an unexpected exception."""

    status: int
    slug: str
    detail: str
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """The HTTP status in words."""
        return HTTP_STATUS_CODES.get(self.status, "Error")

    @classmethod
    def of(cls, error: ConcordError | HTTPException) -> Failure:
        """What to tell of an error that reached the border; a server-side one of our own is logged here."""
        if isinstance(error, ConcordError):
            if isinstance(error, Refused | OutOfTime):
                g.refused = error.slug  # counted when the answer goes out
            elif error.status >= 500:
                _log.error("%s %s: %s", request.method, request.path, error)
                if not g.get("concord_local"):
                    # The sentence may name folders of this machine, and its way out is for those who run it.
                    return cls(error.status, error.slug, _SERVER_SIDE, _ways_out(error))
            return cls(error.status, error.slug, str(error), _ways_out(error))
        status = error.code or 500
        slug = HTTP_STATUS_CODES.get(status, "error").lower().replace(" ", "-")
        headers = [(name, value) for name, value in error.get_headers() if name == "Allow"]
        return cls(status, slug, _DETAILS.get(status, error.description or "The request failed."), tuple(headers))


def _ways_out(error: ConcordError) -> tuple[tuple[str, str], ...]:
    if error.status == 401:
        return (("WWW-Authenticate", 'Bearer realm="api"'),)
    if error.status in (429, 503):
        return (("Retry-After", str(getattr(error, "retry_after", _RETRY_SECONDS))),)
    return ()


def problem_response(failure: Failure) -> Response:
    """A failure as application/problem+json."""
    problem = Problem(
        type=f"urn:concord:problem:{failure.slug}",
        title=failure.title,
        status=failure.status,
        detail=failure.detail,
        instance=request.path,
    )
    response = json_response(problem.model_dump(), status=failure.status, mimetype="application/problem+json")
    response.headers.extend(failure.headers)
    return response


def json_response(payload: dict[str, Any], *, status: int = 200, mimetype: str = "application/json") -> Response:
    """JSON with its keys in the order given."""
    return Response(dumps(payload) + "\n", status=status, mimetype=mimetype)
