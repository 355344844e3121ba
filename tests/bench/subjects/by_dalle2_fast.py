"""This package with its extra `fast`."""

from by_dalle2 import base64 as base64
