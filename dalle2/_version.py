"""The version, in one place: the build reads it from here, and so does `dalle2.__version__`. It imports
nothing.
"""

from __future__ import annotations

__version__ = "0.1.0"
