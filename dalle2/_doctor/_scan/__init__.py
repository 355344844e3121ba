"""The scanner behind `dalle2 doctor PATH`: calls on image models that are gone, found by reading source.

The rule: a finding is a call whose receiver and model are both known from the source, by following imports,
names, attributes, arguments and returned values. What cannot be followed is passed over, so look-alikes
raise no alarm. Hosts other than OpenAI's own keep their own dates and are passed over too.
"""

from __future__ import annotations

from ._judge import Finding
from ._project import scan_path
from ._source import scan_source

__all__ = ["Finding", "scan_path", "scan_source"]
