"""How the hand-written subjects save, as is due to a paid image: a temporary file, `fsync`, rename."""

import os


class Careful:
    """A file that appears under its name when the `with` ends well."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.file = open(self.path + ".part", "wb")
        return self.file

    def __exit__(self, kind, error, trace):
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        if kind is None:
            os.replace(self.path + ".part", self.path)


def save(path, data):
    """Save bytes."""
    with Careful(path) as file:
        file.write(data)
