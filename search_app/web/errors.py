"""What went wrong, as (status, slug, title, detail), and as application/problem+json (RFC 9457)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Literal

from flask import Response, request
from pydantic import BaseModel, Field
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from indexer.errors import ConcordError
from search_app.serialise import dumps

__all__ = ["Failure", "Health", "Problem", "json_response", "problem_response"]

_DETAILS = {
    404: "There is nothing at this address.",
    405: "This address can only be read: use GET.",
    500: "Something went wrong on our side; the fault has been logged.",
}

_log = logging.getLogger(__name__)


class Health(BaseModel):
    """The answer of a site that can be searched; one that cannot answers with a problem."""

    status: Literal["ready"] = "ready"


class Problem(BaseModel):
    """An error as RFC 9457 has it."""

    type: str = Field(description="urn:concord:problem: and a name that does not change.")
    title: str = Field(description="The HTTP status in words.")
    status: int
    detail: str = Field(description="One sentence: what was seen, what is allowed, the way out.")
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
            if error.status >= 500:
                _log.error("%s %s: %s", request.method, request.path, error)
            return cls(error.status, error.slug, str(error))
        status = error.code or 500
        slug = HTTP_STATUS_CODES.get(status, "error").lower().replace(" ", "-")
        headers = [(name, value) for name, value in error.get_headers() if name == "Allow"]
        return cls(status, slug, _DETAILS.get(status, error.description or "The request failed."), tuple(headers))


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
