"""The official SDK's image calls over this client: a script runs on with only its import changed.

`from dalle2.compat import OpenAI` stands for `from openai import OpenAI`, and
`import dalle2.compat as openai` for a script of 2022 (`openai.Image.create`) or for the module style of
today (`openai.images.generate`). A program that also chats keeps its `import openai` and calls `install()`.
No logic of its own: names and shapes are translated, everything else (retries, retired models, downloads) is
the client's. With a successor in place of a retired model, images come as data URIs where a URL is expected.

One difference cannot be hidden: a call whose answer was lost is a `dalle2.OutcomeUnknownError` (an
`APIError`) and not an `APITimeoutError`, because a script that repeats it would pay twice.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .. import __version__ as __version__
from .._client import Client as _Client
from ..settings import DEFAULT
from . import error as error
from . import openai_object as openai_object
from . import types as types
from ._arguments import NOT_GIVEN as NOT_GIVEN
from ._arguments import NotGiven as NotGiven
from ._arguments import Omit as Omit
from ._arguments import not_given as not_given
from ._arguments import omit as omit
from ._azure import AsyncAzureOpenAI as AsyncAzureOpenAI
from ._azure import AzureOpenAI as AzureOpenAI
from ._error_tree import APIConnectionError as APIConnectionError
from ._error_tree import APIError as APIError
from ._error_tree import APIResponseValidationError as APIResponseValidationError
from ._error_tree import APIStatusError as APIStatusError
from ._error_tree import APITimeoutError as APITimeoutError
from ._error_tree import AuthenticationError as AuthenticationError
from ._error_tree import BadRequestError as BadRequestError
from ._error_tree import ConflictError as ConflictError
from ._error_tree import InternalServerError as InternalServerError
from ._error_tree import NotFoundError as NotFoundError
from ._error_tree import OpenAIError as OpenAIError
from ._error_tree import PermissionDeniedError as PermissionDeniedError
from ._error_tree import RateLimitError as RateLimitError
from ._error_tree import UnprocessableEntityError as UnprocessableEntityError
from ._error_tree import restore_error as restore_error
from ._install import install as install
from ._install import uninstall as uninstall
from ._module import Image as Image
from ._module import Model as Model
from ._module import Moderation as Moderation
from ._module import kept, module_given
from ._module import reset as reset
from ._official import AsyncOpenAI as AsyncOpenAI
from ._official import OpenAI as OpenAI
from ._official import no_such
from ._resources import AsyncImages as AsyncImages
from ._resources import Images as Images
from ._resources import Models, Moderations
from ._shapes import RawResponse as RawResponse
from ._streams import AsyncStream as AsyncStream
from ._streams import Stream as Stream
from .openai_object import OpenAIObject as OpenAIObject
from .types import BaseModel as BaseModel
from .types import ImagesResponse as ImagesResponse

__all__ = [
    "NOT_GIVEN",
    "APIConnectionError",
    "APIError",
    "APIResponseValidationError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncAzureOpenAI",
    "AsyncClient",
    "AsyncImages",
    "AsyncOpenAI",
    "AsyncStream",
    "AuthenticationError",
    "AzureOpenAI",
    "BadRequestError",
    "BaseModel",
    "Client",
    "ConflictError",
    "Image",
    "Images",
    "ImagesResponse",
    "InternalServerError",
    "InvalidRequestError",
    "Model",
    "Moderation",
    "NotFoundError",
    "NotGiven",
    "Omit",
    "OpenAI",
    "OpenAIError",
    "OpenAIObject",
    "PermissionDeniedError",
    "RateLimitError",
    "RawResponse",
    "Stream",
    "UnprocessableEntityError",
    "error",
    "install",
    "not_given",
    "omit",
    "openai_object",
    "reset",
    "types",
    "uninstall",
]

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from .._transport._callers import HttpClient
    from ..settings import Default, TimeoutArgument
    from ._official import ApiKey

    DefaultHttpxClient = httpx.Client
    DefaultAsyncHttpxClient = httpx.AsyncClient
    Timeout = httpx.Timeout
    images: Images
    models: Models
    moderations: Moderations
else:

    def __getattr__(name):
        if name in _RESOURCES:
            settings = module_given(sys.modules[__name__], {}, old=False)
            return _RESOURCES[name](kept(_Client, settings))
        if name in _HTTPX:
            import httpx

            return getattr(httpx, _HTTPX[name])
        raise AttributeError(name if name.startswith("_") else no_such(name))


Client = OpenAI
AsyncClient = AsyncOpenAI
InvalidRequestError = BadRequestError
_reset_client = reset

# The settings of the module style, read at each call: `openai.api_key = ...`.
api_key: ApiKey = None
api_base: str | None = None
base_url: str | None = None
api_type: str | None = None
api_version: str | None = None
api_key_path: str | None = None
organization: str | None = None
project: str | None = None
azure_endpoint: str | None = None
azure_ad_token: str | None = None
azure_ad_token_provider: ApiKey = None
default_headers: Mapping[str, str] | None = None
default_query: Mapping[str, object] | None = None
http_client: HttpClient | None = None
max_retries: int | None = None
timeout: TimeoutArgument = DEFAULT
proxy: object = None
requestssession: object = None
successor: str | Default | None = DEFAULT

_RESOURCES = {"images": Images, "models": Models, "moderations": Moderations}
_HTTPX = {
    "Timeout": "Timeout",
    "DefaultHttpxClient": "Client",
    "DefaultAsyncHttpxClient": "AsyncClient",
}
for _value in [*vars(error).values(), *globals().values()]:
    if isinstance(_value, type) and _value.__module__.startswith(f"{__name__}._"):
        _value.__module__ = __name__  # where a user finds it: in a traceback, a pickle
restore_error.__module__ = __name__
