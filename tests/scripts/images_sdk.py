"""The same script for the official SDK from version 1 on."""

import sys
import urllib.request
from pathlib import Path

from openai import OpenAI, OpenAIError

folder = Path(sys.argv[1])
client = OpenAI()


def save(response, name):
    for number, image in enumerate(response.data, 1):
        with urllib.request.urlopen(image.url) as answer:
            (folder / f"{name}-{number}.png").write_bytes(answer.read())


try:
    made = client.images.generate(model="dall-e-2", prompt="a corgi astronaut", n=2, size="256x256")
    save(made, "made")

    edited = client.images.edit(
        model="dall-e-2",
        image=open(folder / "photo.png", "rb"),
        mask=open(folder / "mask.png", "rb"),
        prompt="a corgi astronaut with a hat",
        size="512x512",
        response_format="url",
    )
    save(edited, "edited")

    varied = client.images.create_variation(
        image=("photo.png", (folder / "photo.png").read_bytes()), n=1, size="256x256"
    )
    save(varied, "varied")
except OpenAIError as e:
    sys.exit(f"{type(e).__name__}: {e}")

print("made at", made.created // 1)
# ruff: noqa
