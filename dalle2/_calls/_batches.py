"""The calls of the Batch API: files, batches and their lists. No I/O.

The rule: only the call that creates a batch costs money. It is never repeated once it may have been carried
out; all others may be, since a file that is uploaded twice costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from .. import errors as e
from .._http import FilePart, Form, HttpResponse
from .._image._data import ImagesData
from .._wire._batch import ENDPOINT, PAGE, BatchInfo, Line, Page, read_batch, read_id, read_page
from .._wire._body import JsonBody
from .._wire._errors import problem_error
from .._wire._images import encode_json
from ._envelope import api_request
from ._free import free_call
from ._outcome import Call, context_of
from ._paid import decode_images

if TYPE_CHECKING:
    from datetime import datetime

    from .._requests._draft import Draft
    from .._state import ClientState
    from .._wire._problem import Problem
    from ..settings import Settings


def check_batches(settings: Settings) -> None:
    """That the host may have batches. Raises `ConfigurationError`."""
    provider = settings.provider
    if provider.wire != "images" or not {"files", "batches"} <= provider.paths.keys():
        raise e.ConfigurationError(
            f"the provider {provider.name} has no batches: take one whose paths name files and batches, or "
            "bulk.run"
        )


def upload_call(settings: Settings, state: ClientState, name: str, data: bytes) -> Call[str]:
    """Upload an input file; gives its id."""
    form = Form((("purpose", "batch"),), (FilePart("file", name, "application/jsonl", data),))
    return free_call(settings, state, "files", read_id, form)


def files_call(settings: Settings, state: ClientState, after: str | None) -> Call[Page]:
    """A part of the list of input files."""
    return free_call(settings, state, "files", read_page, tail=_query(after, purpose="batch"))


def file_call(settings: Settings, state: ClientState, name: str) -> Call[str]:
    """Whether a file is there; gives its id."""
    return free_call(settings, state, "files", read_id, tail=_named(name))


def content_call(settings: Settings, state: ClientState, name: str) -> Call[None]:
    """The bytes of a file, to be read as they come; only an answer that says no is decoded."""
    return free_call(
        settings, state, "files", lambda document, response: None, tail=f"{_named(name)}/content"
    )


def batch_call(settings: Settings, state: ClientState, name: str) -> Call[BatchInfo]:
    """A batch as it is now."""
    return free_call(settings, state, "batches", read_batch, tail=_named(name))


def batches_call(settings: Settings, state: ClientState, after: str | None) -> Call[Page]:
    """A part of the list of batches, newest first."""
    return free_call(settings, state, "batches", read_page, tail=_query(after, limit=str(PAGE)))


def create_call(
    settings: Settings, state: ClientState, file: str, model: str, metadata: Mapping[str, str], key: str
) -> Call[BatchInfo]:
    """Create a batch: the call that is paid for."""
    body = encode_json(
        {
            "input_file_id": file,
            "endpoint": ENDPOINT,
            "completion_window": "24h",
            "metadata": metadata,
        }
    )
    return Call(
        api_request(settings, "batches", body, key=key),
        context_of(settings, state, "batches", model, idempotency_key=key),
        free_call(settings, state, "batches", read_batch).decode,
        lane=f"{settings.base_url} batches",
        settings=settings,
    )


def images_of_line(
    settings: Settings, state: ClientState, request: Draft, model: str, line: Line, at: datetime
) -> ImagesData:
    """The images of one line. Raises the error that it stands for, as the call itself would."""
    headers = {} if line.request_id is None else {"x-request-id": line.request_id}
    context = context_of(settings, state, request.operation, model, request)
    answer = decode_images(HttpResponse(line.status, headers, line.answer, at), context)
    if not isinstance(answer, ImagesData):
        raise e.DecodeError(
            "the line says that its images are still being made, in a batch that has ended",
            path="response",
            body=line.answer.raw(),
        )
    return answer


def failed_error(settings: Settings, state: ClientState, model: str, problem: Problem) -> e.APIError:
    """The error of a batch that did not pass the host's checks: nothing of it was billed."""
    context = context_of(settings, state, "batches", model, paid=False)
    told = {"error": {"message": problem.message, "code": problem.code}}
    return problem_error(problem, HttpResponse(400, {}, JsonBody(), state.now()), context, told)


def _named(name: str) -> str:
    return f"/{quote(name, safe='')}"


def _query(after: str | None, **more: str) -> str:
    return "?" + urlencode({**more, **({} if after is None else {"after": after})})
