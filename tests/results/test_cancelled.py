"""Awaited saves that are cancelled at any moment: nothing is left, and nothing appears afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

import dalle2
from dalle2._image._data import ImageData
from dalle2._results._awaited import in_thread

from ..faults.server import IMAGE, FaultServer

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MOMENTS = ["listdir", "open", "fstat", "lstat", "write", "fsync", "close", "link", "unlink"]


class Slow:
    """Makes one call to the system take its time, and tells when it has begun."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()
        real = getattr(os, name)

        def slow(*args: Any, **options: Any) -> Any:
            if threading.current_thread() is not threading.main_thread() and not self.begun.is_set():
                self.begun.set()
                assert self.go_on.wait(10)
            return real(*args, **options)

        monkeypatch.setattr(os, name, slow)

    async def under_way(self) -> None:
        """Wait until the call has begun."""
        while not self.begun.is_set():
            await anyio.sleep(0.001)

    def let_go(self) -> None:
        """Let it end a little later."""
        threading.Timer(0.01, self.go_on.set).start()


def held() -> dalle2.AsyncImageResult:
    """An image that holds its bytes."""
    return dalle2.AsyncImageResult(ImageData(created=NOW, content=IMAGE))


@pytest.mark.parametrize("name", MOMENTS)
def test_a_task_that_is_cancelled_in_mid_save_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """asyncio's own `task.cancel`, twice, while the thread is in this very call."""
    slow = Slow(monkeypatch, name)

    async def main() -> None:
        task = asyncio.ensure_future(held().save(tmp_path / "a.png"))
        await slow.under_way()
        task.cancel()
        await asyncio.sleep(0.005)
        task.cancel()
        slow.let_go()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert os.listdir(tmp_path) == []

    asyncio.run(main())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("name", MOMENTS)
def test_a_scope_that_is_cancelled_in_mid_save_leaves_nothing_or_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, backend: str
) -> None:
    """The file is there only if the call gave its path; then it had been published already."""
    slow = Slow(monkeypatch, name)
    saved: list[Path] = []

    async def save() -> None:
        saved.append(await held().save(tmp_path / "a.png"))

    async def main() -> None:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(save)
                await slow.under_way()
                scope.cancel()
                slow.let_go()

    anyio.run(main, backend=backend)
    assert os.listdir(tmp_path) == [path.name for path in saved]
    assert all(path.read_bytes() == IMAGE for path in saved)


def test_a_timeout_and_a_siblings_failure_come_out_as_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`asyncio.timeout` is a `TimeoutError`, a task group tells the failure; neither leaves anything."""

    async def timed() -> None:
        slow = Slow(monkeypatch, "fsync")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                slow_task = asyncio.get_running_loop().call_later(0.04, slow.go_on.set)
                try:
                    await held().save(tmp_path / "a.png")
                finally:
                    slow_task.cancel()
        assert os.listdir(tmp_path) == []

    async def failing(slow: Slow) -> None:
        await slow.under_way()
        slow.let_go()
        raise ZeroDivisionError

    async def grouped() -> None:
        slow = Slow(monkeypatch, "fsync")
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(held().save(tmp_path / "a.png"))
                group.create_task(failing(slow))
        assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]
        assert os.listdir(tmp_path) == []

    asyncio.run(timed())
    asyncio.run(grouped())


@pytest.mark.parametrize("name", ["open", "write", "fsync", "link", "close"])
def test_a_loop_that_ends_in_mid_save_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A task that nobody awaits is cancelled at the end, thread and all: no part, no empty file."""
    slow = Slow(monkeypatch, name)

    async def main() -> None:
        task = asyncio.ensure_future(held().save(tmp_path / "a.png"))
        await slow.under_way()
        slow.let_go()
        assert not task.done()

    asyncio.run(main())
    for _ in range(400):
        if all(path.name == "a.png" for path in tmp_path.iterdir()) and slow.go_on.is_set():
            break
        time.sleep(0.005)
    assert [path.read_bytes() for path in tmp_path.iterdir()] in ([], [IMAGE])


def step_by_step(work: Callable[[], Any], steps: int) -> bool:
    """Cancel a task after so many steps of the loop; whether it was done before."""

    async def main() -> bool:
        task = asyncio.ensure_future(work())
        for _ in range(steps):
            await asyncio.sleep(0)
        early = task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return early

    return asyncio.run(main())


def test_a_save_can_be_cancelled_at_any_step(tmp_path: Path) -> None:
    """After each number of steps, from the first to the end: a whole file if it was done, else nothing; and
    the next save over the same client works at once.
    """
    with FaultServer() as server:
        client = dalle2.AsyncClient("sk-secret", base_url=server.origin)
        image = client.image(server.origin + "/a.png")
        done, steps = False, 0
        while not done:
            target = tmp_path / f"{steps}.png"
            done = step_by_step(lambda target=target: image.save(target), steps)
            left = [path.name for path in tmp_path.iterdir()]
            assert left in ([], [target.name])
            assert not left or target.read_bytes() == IMAGE
            target.unlink(missing_ok=True)
            steps += 1 + steps // 8
            assert steps < 1_000_000

        async def again() -> Path:
            async with client:
                return await image.save(tmp_path / "last.png")

        assert asyncio.run(again()).read_bytes() == IMAGE


def test_after_any_number_of_cancelled_reads_the_next_one_works_at_once() -> None:
    """On the same client and loop: a connection that was cancelled half-open takes nobody's place."""

    async def main() -> None:
        async with dalle2.AsyncClient("sk-secret", base_url=server.origin, timeout=5.0) as client:
            steps, early = 0, False
            while not early:
                task = asyncio.ensure_future(client.image(server.origin + "/a.png").read())
                for _ in range(steps):
                    await asyncio.sleep(0)
                early = task.done()
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                assert await client.image(server.origin + "/b.png").read() == IMAGE
                steps += 1 + steps // 16
                assert steps < 1_000_000

    with FaultServer() as server:
        asyncio.run(main())


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_work_in_a_thread_gives_its_value_or_its_error(backend: str) -> None:
    """As if it had been called here."""

    def fail() -> None:
        raise OSError("as it is")

    async def main() -> None:
        assert await in_thread(divmod, 7, 2) == (3, 1)
        with pytest.raises(OSError, match="as it is"):
            await in_thread(fail)

    anyio.run(main, backend=backend)
