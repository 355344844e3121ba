"""What a wheel and a source archive hold: `python distribution.py FILE...`, in the `package` session."""

from __future__ import annotations

import sys
import tarfile
import zipfile

WHOLE = ("dalle2/__init__.py", "dalle2/py.typed", "dalle2/_wire/_images.py", "dalle2/testing/_app.py")
SOURCE = (*WHOLE, "README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "noxfile.py", "tests/conftest.py")


def check(path: str) -> None:
    """End with a message if the file lacks something, or holds what is nobody's."""
    if path.endswith(".whl"):
        with zipfile.ZipFile(path) as wheel:
            names = wheel.namelist()
        strange = [name for name in names if not name.startswith(("dalle2/", "dalle2_sdk-"))]
        missing = [name for name in WHOLE if name not in names]
    else:
        with tarfile.open(path) as archive:
            names = [name.partition("/")[2] for name in archive.getnames()]
        strange = [
            name for name in names if "__pycache__" in name or name.startswith((".git/", ".nox/", ".ci/"))
        ]
        missing = [name for name in SOURCE if name not in names]
    if strange or missing:
        sys.exit(f"{path}: missing {missing}, strange {strange[:5]}")
    print(f"{path}: {len(names)} files")


for file in sys.argv[1:]:
    check(file)
