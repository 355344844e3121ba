"""A page that paints: a prompt in, a picture that grows, and is kept when it is whole.

The rule: a paid call belongs to the application, never to the request that asked for it. Who closes the page
loses sight of the picture, not the picture; who asks twice with one key pays once; and the application ends
when all that it began is on the disk. To try it without a key, with an emulator in place of a host:

    DALLE2_PROVIDER=emulator uvicorn --app-dir docs/service app:app
"""

from __future__ import annotations

import asyncio
import base64
import html
import logging
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from string import Template
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import FastAPI, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles

import dalle2

HERE = Path(__file__).parent
KEPT = Path(os.environ.get("PICTURES", "pictures"))
PAGE = Template((HERE / "page.html").read_text(encoding="utf-8"))
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Job:
    """A picture on its way: its newest event, for whoever looks, however late."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.tell("begun")

    def tell(self, name: str, data: str = "") -> None:
        """Replace the newest event, and wake who waits for it; nothing comes after `end`."""
        self.event, self.over = f"event: {name}\ndata: {data}\n\n", name == "end"
        self.changed.set()
        self.changed = asyncio.Event()

    async def events(self) -> AsyncIterator[str]:
        """The newest event, and each one to come, unless a newer one is there before it is read."""
        over = False
        while not over:
            changed, over = self.changed, self.over
            yield self.event
            if not over:
                await changed.wait()


class Studio:
    """All that is on its way. What is kept: `KEY.txt` is a prompt, `KEY.png` its picture, `KEY.problem` why
    there is none.
    """

    def __init__(self, client: dalle2.AsyncClient) -> None:
        self.client = client
        self.jobs: dict[UUID, Job] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    def begin(self, key: UUID, prompt: str) -> None:
        """Paint, unless this key was seen before: by this process, or by one before it."""
        try:
            with (KEPT / f"{key}.txt").open("x", encoding="utf-8") as file:
                file.write(prompt)
        except FileExistsError:
            return
        self.jobs[key] = Job()
        task = asyncio.create_task(self.paint(key, prompt, self.jobs[key]))
        self.tasks.add(task)  # an event loop forgets a task that nobody else holds
        task.add_done_callback(self.tasks.discard)

    async def paint(self, key: UUID, prompt: str, job: Job) -> None:
        """One paid call, to its end."""
        try:
            stream = self.client.stream(prompt, partial_images=2, size="1024x1024", idempotency_key=str(key))
            async with aclosing(stream) as events:
                async for event in events:
                    if isinstance(event, dalle2.FinalImage):  # kept before anybody hears of it
                        await event.image.save(KEPT / f"{key}.png")
                    else:
                        picture = base64.b64encode(await event.image.read()).decode()
                        job.tell("partial", f"data:{event.image.media_type};base64,{picture}")
        except Exception as error:
            logging.getLogger("painter").exception("no picture for %s", key)
            (KEPT / f"{key}.problem").write_text(why(error), encoding="utf-8")
        finally:
            del self.jobs[key]
            job.tell("end")


def why(error: Exception | None) -> str:
    """What a reader is told: what to do now, and nothing of keys, hosts and files."""
    if isinstance(error, dalle2.ContentPolicyError):
        return "This was refused for its content. Put it in other words."
    if isinstance(error, dalle2.Dalle2Error) and not error.maybe_billed:
        return "This could not be painted, and cost nothing. Try again later."
    return "This may have been painted and paid for, but it did not arrive. Asking again may cost once more."


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One client for the whole process, which is closed when the last picture is kept."""
    KEPT.mkdir(parents=True, exist_ok=True)
    async with dalle2.AsyncClient(successor="auto", budget=dalle2.Budget(max_usd=20)) as client:
        app.state.studio = studio = Studio(client)
        yield
        await asyncio.gather(*studio.tasks, return_exceptions=True)


app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
app.mount("/static", StaticFiles(directory=HERE / "static"))
app.mount("/kept", StaticFiles(directory=KEPT, check_dir=False))


def page(prompt: str = "", shown: str = "") -> HTMLResponse:
    """The one page; each copy of its form has a key of its own."""
    text = PAGE.substitute(key=uuid4(), prompt=html.escape(prompt), shown=shown)
    return HTMLResponse(text, headers={"Content-Security-Policy": CSP, "Cache-Control": "no-store"})


@app.get("/")
async def ask() -> HTMLResponse:
    """The empty form."""
    return page()


@app.post("/jobs")
async def begin(
    request: Request, key: Annotated[UUID, Form()], prompt: Annotated[str, Form(max_length=1000)]
) -> RedirectResponse:
    """Begin a picture, and go where it can be watched."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise HTTPException(403, "another site may not spend your money")
    request.app.state.studio.begin(key, prompt)
    return RedirectResponse(f"/jobs/{key}", 303)


@app.get("/jobs/{key}")
async def watch(request: Request, key: UUID) -> HTMLResponse:
    """One picture, at any time: kept, on its way, or gone wrong."""
    claim, picture, problem = (KEPT / f"{key}.{kind}" for kind in ("txt", "png", "problem"))
    if not claim.exists():
        raise HTTPException(404, "there is no such picture")
    prompt = claim.read_text("utf-8")
    if picture.exists():
        kept = f'<img src="/kept/{picture.name}" alt="{html.escape(prompt)}">'
        return page(prompt, f'{kept}<p><a href="/kept/{picture.name}" download>Save the picture</a></p>')
    if key in request.app.state.studio.jobs:
        return page(
            prompt,
            f'<p role="status" data-events="/jobs/{key}/events">Painting. You may close this page.</p>',
        )
    return page(prompt, f"<p>{problem.read_text('utf-8') if problem.exists() else why(None)}</p>")


@app.get("/jobs/{key}/events")
async def events(request: Request, key: UUID) -> StreamingResponse:
    """What happens to a picture, as server-sent events; who leaves ends nothing but this answer."""
    over = Job()
    over.tell("end")
    told = request.app.state.studio.jobs.get(key, over).events()
    at_once = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # or nginx would gather them
    return StreamingResponse(told, media_type="text/event-stream", headers=at_once)
