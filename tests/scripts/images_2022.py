"""A script of 2022, as the tutorials of the time have it: corgis, in the folder that is named."""

import sys
import urllib.request
from pathlib import Path

import openai

folder = Path(sys.argv[1])


def save(response, name):
    for number, image in enumerate(response["data"], 1):
        with urllib.request.urlopen(image["url"]) as answer:
            (folder / f"{name}-{number}.png").write_bytes(answer.read())


try:
    made = openai.Image.create(prompt="a corgi astronaut", n=2, size="256x256")
    save(made, "made")

    edited = openai.Image.create_edit(
        image=open(folder / "photo.png", "rb"),
        mask=open(folder / "mask.png", "rb"),
        prompt="a corgi astronaut with a hat",
        n=1,
        size="512x512",
    )
    save(edited, "edited")

    varied = openai.Image.create_variation(image=open(folder / "photo.png", "rb"), n=1, size="256x256")
    save(varied, "varied")
except openai.error.OpenAIError as e:
    sys.exit(f"{type(e).__name__}: {e}")

print("made at", made["created"] // 1)
# ruff: noqa
