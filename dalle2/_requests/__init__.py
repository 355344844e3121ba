"""What is asked for: a request that exists can be sent.

What no model accepts is refused here, when a request is made (`_rules`); what one model accepts and another
does not is the catalogue's business, and is checked when the model is known. `None` means "not sent".

Callers make and see attrs values (`_values`). A call works with a `Draft`, which holds the same, and becomes
the value when somebody looks: a process that makes one image need not build these classes first.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from ._values import EditRequest, GenerateRequest, VariationRequest

    Request: TypeAlias = "GenerateRequest | EditRequest | VariationRequest"
