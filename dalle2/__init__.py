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
    from ._results._at_once import AsyncImages as AsyncImages
    from ._results._awaited import AsyncImageResult as AsyncImageResult
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
        "AsyncImages": "_results._at_once",
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
        "PriceTable": "_money._prices",
        "Provider": "providers",
        "QuotaExceededError": "errors",
        "RateLimit": "_wire._rate_limit",
        "RateLimitError": "errors",
        "RetryPolicy": "retry",
        "UnprocessableEntityError": "errors",
        "Usage": "_money._costs",
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
        if module is not value:
            _complete(module, value)
        return value

    # Annotations name more than a call needs. Whoever asks for their meaning (`typing.get_type_hints`, and so
    # cattrs, hypothesis, beartype, pydantic) evaluates them in the private file, which does without: there
    # each name gets a stand-in that is loaded only then.
    _MEANT = {
        "Adaptation": "_requests._successor",
        "Budget": "_money",
        "Changes": "settings",
        "Dalle2Error": "errors",
        "Default": "settings",
        "Estimate": "_money",
        "ExpirySource": "_types",
        "ImageData": "_image._data",
        "ImageFacts": "_image._media",
        "ImageSource": "_requests._inputs",
        "ImagesData": "_image._data",
        "InputImage": "_requests._inputs",
        "KeptImage": "_types",
        "Listener": "events",
        "ModelInfo": "_wire._lists",
        "Moderation": "_wire._lists",
        "Operation": "catalog",
        "PictureSource": "_requests._opened",
        "PriceTable": "_money",
        "Provider": "providers",
        "RateLimit": "_wire._rate_limit",
        "Request": "_requests._values",
        "RetryPolicy": "retry",
        "SentRequest": "_types",
        "Usage": "_money",
    }
    _LOOKED_INTO = {"FinalImage": "_calls._stream", "PartialImage": "_calls._stream", "t": "_types"}
    """Those of which a part is named: `t.Size`, `PartialImage[ImageResult]`."""
    _STANDARD = {
        "collections.abc": ("Callable", "Iterator", "Mapping", "Sequence"),
        "datetime": ("date", "datetime"),
        "pathlib": ("Path",),
        "types": ("TracebackType",),
        "typing": ("Any", "Literal", "Protocol", "Self", "Unpack"),
    }
    _OPEN = ("AsyncFetches", "AsyncHttpClient", "Fetches", "HttpClient", "PillowImage", "TimeoutArgument")
    """What is described to type checkers alone, or belongs to a library that may be missing: any object."""

    def _meant(home, name):
        import importlib

        module = importlib.import_module(f"{__name__}.{home}")
        found = module if name == "t" else getattr(module, name)
        if isinstance(found, str):  # an alias that is written as a text
            _fill(module.__name__)
            found = eval(found, vars(module))
        return found

    class _LookedInto:
        """A stand-in that is loaded when a part of it is named."""

        def __init__(self, home, name):
            self._place = home, name

        def __getattr__(self, part):
            return getattr(_meant(*self._place), part)

        def __getitem__(self, kind):
            return _meant(*self._place)[kind]

    _made = {}

    def _stand_ins():
        if _made:
            return _made
        import importlib
        from typing import ForwardRef

        _made.update(dict.fromkeys(_OPEN, object))
        for home, found in _STANDARD.items():
            _made.update((name, getattr(importlib.import_module(home), name)) for name in found)
        for name, home in _MEANT.items():
            _made[name] = ForwardRef(f"__import__({__name__!r})._meant({home!r}, {name!r})")
        _made.update((name, _LookedInto(home, name)) for name, home in _LOOKED_INTO.items())
        return _made

    def _fill(home):
        import sys

        names = vars(sys.modules[home])
        names.update({name: one for name, one in _stand_ins().items() if name not in names})

    def _complete(module, value):
        kinds = getattr(value, "__mro__", ())
        for home in {module.__name__, *(kind.__module__ for kind in kinds)}:
            if home.startswith(f"{__name__}."):
                _fill(home)
        # A public class shows this module as its own, and here its annotations mean nothing.
        for owner in (value, value.__init__) if kinds else ():
            if getattr(owner, "__module__", "") == __name__ and getattr(owner, "__annotations__", None):
                owner.__annotations__ = {
                    name: eval(text, vars(module)) if isinstance(text, str) else text
                    for name, text in owner.__annotations__.items()
                }

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
