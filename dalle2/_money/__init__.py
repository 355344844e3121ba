"""What calls cost: before them (`_estimates`), after them (`_costs`), and a limit over many (`_budget`).

The rule: a price that is not known is `None`, never 0; a rough one is told to who asks for it, and says that
it is. All amounts are US dollars. What a caller brings is checked when it is given, and what a host sends
never raises: after the payment it would be too late.
"""

from __future__ import annotations

from ._budget import Budget as Budget
from ._budget import Reservation as Reservation
from ._costs import Charge as Charge
from ._costs import Usage as Usage
from ._costs import cost as cost
from ._costs import cost_of as cost_of
from ._estimates import estimate as estimate
from ._estimates import estimate_of as estimate_of
from ._estimates import images_asked as images_asked
from ._prices import PRICES as PRICES
from ._prices import Estimate as Estimate
from ._prices import PriceTable as PriceTable
from ._prices import in_words as in_words
