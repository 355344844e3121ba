"""A typed client for the DALL·E 2 image API: never pay twice, never lose an image.

>>> import dalle2
>>> with dalle2.Client() as client:  # doctest: +SKIP
...     client.generate("a corgi astronaut")[0].save("corgi.png")

Names only; each is loaded when it is first used, so that `import dalle2` costs nothing.
"""

__version__ = "0.2.0"
"""The version, in one place: the build reads it from here."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import bulk as bulk
    from . import catalog as catalog
    from . import compat as compat
    from . import errors as errors
    from . import events as events
    from . import providers as providers
    from ._async_client import AsyncClient as AsyncClient
    from ._calls._stream import FinalImage as FinalImage
    from ._calls._stream import PartialImage as PartialImage
    from ._client import Client as Client
    from ._money import Budget as Budget
    from ._money import Estimate as Estimate
    from ._money import PriceTable as PriceTable
    from ._money import Usage as Usage
    from ._requests._inputs import InputImage as InputImage
    from ._requests._inputs import read_input as read_input
    from ._requests._pictures import mask_from_box as mask_from_box
    from ._requests._pictures import prepare_image as prepare_image
    from ._requests._successor import Adaptation as Adaptation
    from ._requests._successor import Adapted as Adapted
    from ._requests._successor import adapt as adapt
    from ._requests._values import EditRequest as EditRequest
    from ._requests._values import GenerateRequest as GenerateRequest
    from ._requests._values import VariationRequest as VariationRequest
    from ._results._awaited import AsyncImageResult as AsyncImageResult
    from ._results._awaited import AsyncImages as AsyncImages
    from ._results._blocking import ImageResult as ImageResult
    from ._results._blocking import Images as Images
    from ._wire._lists import ModelInfo as ModelInfo
    from ._wire._lists import Moderation as Moderation
    from ._wire._rate_limit import RateLimit as RateLimit
    from .errors import APIConnectionError as APIConnectionError
    from .errors import APIError as APIError
    from .errors import APIStatusError as APIStatusError
    from .errors import AuthenticationError as AuthenticationError
    from .errors import BadRequestError as BadRequestError
    from .errors import BudgetExceededError as BudgetExceededError
    from .errors import ConfigurationError as ConfigurationError
    from .errors import ConflictError as ConflictError
    from .errors import ConnectTimeoutError as ConnectTimeoutError
    from .errors import ContentPolicyError as ContentPolicyError
    from .errors import Dalle2Error as Dalle2Error
    from .errors import DecodeError as DecodeError
    from .errors import DownloadError as DownloadError
    from .errors import ImageExpiredError as ImageExpiredError
    from .errors import InternalServerError as InternalServerError
    from .errors import InvalidRequestError as InvalidRequestError
    from .errors import JournalError as JournalError
    from .errors import ModelRetiredError as ModelRetiredError
    from .errors import ModelRetirementWarning as ModelRetirementWarning
    from .errors import NotFoundError as NotFoundError
    from .errors import OutcomeUnknownError as OutcomeUnknownError
    from .errors import PermissionDeniedError as PermissionDeniedError
    from .errors import QuotaExceededError as QuotaExceededError
    from .errors import RateLimitError as RateLimitError
    from .errors import UnprocessableEntityError as UnprocessableEntityError
    from .providers import Provider as Provider
    from .retry import RetryPolicy as RetryPolicy
    from .settings import DEFAULT as DEFAULT
else:
    _HOMES = {
        "APIConnectionError": "errors",
        "APIError": "errors",
        "APIStatusError": "errors",
        "Adaptation": "_requests._successor",
        "Adapted": "_requests._successor",
        "AsyncClient": "_async_client",
        "AsyncImageResult": "_results._awaited",
        "AsyncImages": "_results._awaited",
        "AuthenticationError": "errors",
        "BadRequestError": "errors",
        "Budget": "_money",
        "BudgetExceededError": "errors",
        "Client": "_client",
        "ConfigurationError": "errors",
        "ConflictError": "errors",
        "ConnectTimeoutError": "errors",
        "ContentPolicyError": "errors",
        "DEFAULT": "settings",
        "Dalle2Error": "errors",
        "DecodeError": "errors",
        "DownloadError": "errors",
        "EditRequest": "_requests._values",
        "Estimate": "_money",
        "FinalImage": "_calls._stream",
        "GenerateRequest": "_requests._values",
        "ImageExpiredError": "errors",
        "ImageResult": "_results._blocking",
        "Images": "_results._blocking",
        "InputImage": "_requests._inputs",
        "InternalServerError": "errors",
        "InvalidRequestError": "errors",
        "JournalError": "errors",
        "ModelInfo": "_wire._lists",
        "ModelRetiredError": "errors",
        "ModelRetirementWarning": "errors",
        "Moderation": "_wire._lists",
        "NotFoundError": "errors",
        "OutcomeUnknownError": "errors",
        "PartialImage": "_calls._stream",
        "PermissionDeniedError": "errors",
        "PriceTable": "_money",
        "Provider": "providers",
        "QuotaExceededError": "errors",
        "RateLimit": "_wire._rate_limit",
        "RateLimitError": "errors",
        "RetryPolicy": "retry",
        "UnprocessableEntityError": "errors",
        "Usage": "_money",
        "VariationRequest": "_requests._values",
        "adapt": "_requests._successor",
        "bulk": "bulk",
        "catalog": "catalog",
        "compat": "compat",
        "errors": "errors",
        "events": "events",
        "mask_from_box": "_requests._pictures",
        "prepare_image": "_requests._pictures",
        "providers": "providers",
        "read_input": "_requests._inputs",
    }

    def __getattr__(name):
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        module = importlib.import_module(f"{__name__}.{home}")
        value = module if home == name else getattr(module, name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *__all__})


__all__ = [  # noqa: RUF022, sorted as sorted() does
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "Adaptation",
    "Adapted",
    "AsyncClient",
    "AsyncImageResult",
    "AsyncImages",
    "AuthenticationError",
    "BadRequestError",
    "Budget",
    "BudgetExceededError",
    "Client",
    "ConfigurationError",
    "ConflictError",
    "ConnectTimeoutError",
    "ContentPolicyError",
    "DEFAULT",
    "Dalle2Error",
    "DecodeError",
    "DownloadError",
    "EditRequest",
    "Estimate",
    "FinalImage",
    "GenerateRequest",
    "ImageExpiredError",
    "ImageResult",
    "Images",
    "InputImage",
    "InternalServerError",
    "InvalidRequestError",
    "JournalError",
    "ModelInfo",
    "ModelRetiredError",
    "ModelRetirementWarning",
    "Moderation",
    "NotFoundError",
    "OutcomeUnknownError",
    "PartialImage",
    "PermissionDeniedError",
    "PriceTable",
    "Provider",
    "QuotaExceededError",
    "RateLimit",
    "RateLimitError",
    "RetryPolicy",
    "UnprocessableEntityError",
    "Usage",
    "VariationRequest",
    "__version__",
    "adapt",
    "bulk",
    "catalog",
    "compat",
    "errors",
    "events",
    "mask_from_box",
    "prepare_image",
    "providers",
    "read_input",
]
