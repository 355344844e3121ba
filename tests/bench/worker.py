"""One measurement, in a fresh process: `python -P worker.py SUBJECT SCENARIO ORIGIN FOLDER COUNT`.

The rule: nothing is imported here that a subject could be spared by it, and nothing is measured but the
subject's work: CPU seconds of the whole process (user and system, all threads) between two marks, and how
far its memory's peak rose above what it held at the first one. Prints one JSON object; a whole process is
measured from outside.

A subject is a module of `subjects` with a function for each scenario that it takes part in:

    load()                   import the library
    names()                  import what a service of its own names at the head of its module
    client(base)             a client for that base URL
    cold(base, path)         one image, made and saved
    caller(base)             gives a function that makes one image and gives its URL
    crowd(base, at_once)     awaited: gives the same, to be awaited, and how to close
    base64(base, count)      gives a function that makes that many images and saves them in a folder
    download(base)           gives a function that saves the image of a URL in a folder
    loop(base, answers)      awaited: gives an awaited function of a prompt and a path that makes and saves
                             one image, and how to close; the answers are `url` or `b64`
    command(words)           run its command line and give the exit status
    many(base, prompts, folder, answers)
                             makes and saves an image for each prompt
    run_of(base, prompts, folder, sent)
                             writes all of them down, and makes and saves images of so many
"""

import os
import sys
import time

SMALL = 1024
"""Bytes of the image that warms a subject up."""


def resident(field):
    """The process's memory (VmRSS now, VmHWM at its peak) in bytes; `None` where no one tells."""
    try:
        with open("/proc/self/status") as lines:
            for line in lines:
                if line.startswith(field):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


TICK = 0.001
"""Seconds."""


class Meter:
    """CPU seconds, wall seconds and peak growth since `start`."""

    def start(self):
        """Begin. The kernel forgets the old peak."""
        try:
            with open("/proc/self/clear_refs", "w") as control:
                control.write("5")
        except OSError:
            pass
        self.held = resident("VmRSS")
        self.restart()

    def restart(self):
        """Begin again with the clocks, not with the memory."""
        self.wall = time.perf_counter()
        self.cpu = time.process_time()

    def stop(self, calls=1):
        """What it took, a call."""
        cpu, wall = time.process_time() - self.cpu, time.perf_counter() - self.wall
        peak = resident("VmHWM")
        rose = max(0, peak - self.held) if peak is not None else None
        return {"cpu": cpu / calls, "wall": wall / calls, "peak": rose}


def load(subject, origin, folder, count):
    """Import the library."""
    before, meter = len(sys.modules), Meter()
    meter.start()
    subject.load()
    return {**meter.stop(), "modules": len(sys.modules) - before}


def client(subject, origin, folder, count):
    """Import the library and make a client for an https host, as every real one is."""
    before, meter = len(sys.modules), Meter()
    meter.start()
    kept = subject.client(f"{origin}/url/{SMALL}/v1")
    measured = {**meter.stop(), "modules": len(sys.modules) - before}
    del kept  # only now: closing it is not part of it
    return measured


def cold(subject, origin, folder, count):
    """Everything from nothing to one image on the disk."""
    path = os.path.join(folder, "image.png")
    subject.cold(f"{origin}/url/1100000/v1", path)
    assert os.path.getsize(path) > 1_000_000
    return {}


def version(subject, origin, folder, count):
    """The command line's `--version`."""
    return commanded(subject, "--version")


def generate(subject, origin, folder, count):
    """One image by the command line."""
    path = os.path.join(folder, "image.png")
    base = f"{origin}/url/1100000/v1"
    return commanded(subject, "generate", "a corgi astronaut", "--base-url", base, "-o", path)


def commanded(subject, *words):
    """A command, its own output thrown away."""
    shown, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115 - until the process ends
    assert subject.command(words) == 0
    sys.stdout = shown
    return {}


def warm(subject, origin, folder, count):
    """Calls on a connection that is open."""
    call, meter = subject.caller(f"{origin}/url/{SMALL}/v1"), Meter()
    for _ in range(50):
        call()
    meter.start()
    for _ in range(count):
        call()
    return meter.stop(count)


def crowd(subject, origin, folder, count):
    """Calls that wait for their pictures, many at a time: FOLDER is how many."""
    import asyncio

    async def run():
        at_once, meter = int(folder), Meter()
        call, close = await subject.crowd(f"{origin}/slow/20/v1", at_once)

        async def one(calls):
            for _ in range(calls):
                await call()

        await call()
        meter.start()
        await asyncio.gather(*(one(1) for _ in range(at_once)))
        meter.restart()
        each = max(1, count // at_once)
        await asyncio.gather(*(one(each) for _ in range(at_once)))
        measured = meter.stop(each * at_once)
        await close()
        return measured

    return asyncio.run(run())


async def longest_stop(work):
    """Seconds by which the latest of the ticks came late, one a millisecond, while this is done."""
    import asyncio

    loop, late, due = asyncio.get_running_loop(), [], time.perf_counter() + TICK

    def tick():
        nonlocal due, next_one
        now = time.perf_counter()
        late.append(now - due)
        due, next_one = now + TICK, loop.call_later(TICK, tick)

    next_one = loop.call_later(TICK, tick)
    await asyncio.sleep(20 * TICK)
    await work()
    await asyncio.sleep(2 * TICK)
    next_one.cancel()
    return max(late)


def first_stop(subject, origin, folder, count):
    """How long the event loop stands still for a client and its first call; the names are there before."""
    import asyncio

    async def work():
        call, close = await subject.crowd(f"{origin}/url/{SMALL}/v1", 1)
        await call()
        closing.append(close)

    async def run():
        stop = await longest_stop(work)
        await closing[0]()
        return {"stop": stop}

    closing = []
    subject.names()
    return asyncio.run(run())


def large_stop(subject, origin, folder, count):
    """How long it stands still for one large image, made and saved; COUNT is `BYTESxANSWERS`."""
    import asyncio

    size, _, answers = count.partition("x")

    async def run():
        for name, bytes_ in (("first", SMALL), ("second", size)):
            kind = f"b64/1x{bytes_}" if answers == "b64" else f"url/{bytes_}"
            call, close = await subject.loop(f"{origin}/{kind}/v1", answers)
            path = os.path.join(folder, f"{name}.png")
            stop = await longest_stop(lambda: call("a corgi astronaut", path))  # noqa: B023
            await close()
        return {"stop": stop}

    return asyncio.run(run())


def base64_images(subject, origin, folder, count):
    """An answer with images in base64, all saved; COUNT is `IMAGESxSIZE`."""
    once(subject.base64(f"{origin}/b64/1x{SMALL}/v1", 1), folder, "first")
    images = int(count.partition("x")[0])
    save = subject.base64(f"{origin}/b64/{count}/v1", images)
    return repeated(save, folder, 3, images)


def download(subject, origin, folder, count):
    """One image by URL, saved; COUNT is its size in bytes."""
    save = subject.download(origin)
    once(lambda place: save(f"{origin}/image/{SMALL}.png", place), folder, "first")
    return repeated(lambda place: save(f"{origin}/image/{count}.png", place), folder, 3, 1)


def once(save, folder, name):
    """Save into an empty folder."""
    place = os.path.join(folder, name)
    os.mkdir(place)
    save(place)


def repeated(save, folder, times, images):
    """The median CPU of a few times; the peak is that of the first."""
    import shutil

    taken = []
    for number in range(times):
        meter = Meter()
        meter.start()
        once(save, folder, str(number))
        taken.append(meter.stop())
        assert len(os.listdir(os.path.join(folder, str(number)))) == images
        shutil.rmtree(os.path.join(folder, str(number)))
    taken[0]["cpu"] = sorted(row["cpu"] for row in taken)[times // 2]
    taken[0]["wall"] = sorted(row["wall"] for row in taken)[times // 2]
    return taken[0]


PER_MINUTE = 600
"""Images a minute that a shared pace allows, and the host."""

AT_ONCE = 8
"""Calls of many that are under way at the same time."""


def prompts(count):
    """So many of them."""
    return (f"a corgi astronaut, number {number}" for number in range(count))


def by_loop(subject, base, count, folder, answers):
    """The loop that one writes by hand: so many tasks that take the next prompt; nothing is written down."""
    import asyncio

    async def run():
        call, close = await subject.loop(base, answers)
        rest = iter(enumerate(prompts(count)))

        async def one():
            for number, prompt in rest:
                await call(prompt, os.path.join(folder, f"{number}.png"))

        await asyncio.gather(*(one() for _ in range(AT_ONCE)))
        await close()

    os.mkdir(folder)
    asyncio.run(run())


def many(subject, origin, folder, count):
    """Images for many prompts, answered at once; COUNT is `COUNTxANSWERS`."""
    count, _, answers = count.partition("x")
    kind = f"url/{SMALL}" if answers == "url" else f"b64/1x{SMALL}"
    base, count = f"{origin}/{kind}/v1", int(count)

    def make(count, place):
        if hasattr(subject, "many"):
            subject.many(base, prompts(count), place, answers)
        else:
            by_loop(subject, base, count, place, answers)
        assert len(os.listdir(place)) == count

    make(2 * AT_ONCE, os.path.join(folder, "first"))
    meter = Meter()
    meter.start()
    make(count, os.path.join(folder, "images"))
    return meter.stop(count)


def large(subject, origin, folder, count):
    """What a long run costs: COUNT is `JOBSxSENT`, its jobs and how many of them are sent."""
    jobs, sent = map(int, count.split("x"))
    base, place = f"{origin}/url/{SMALL}/v1", os.path.join(folder, "images")
    subject.many(base, prompts(2 * AT_ONCE), os.path.join(folder, "first"), "url")
    meter = Meter()
    meter.start()
    report = subject.go_on(base, subject.jobs(prompts(jobs), "url"), place, images=sent)
    assert report.done == sent, report
    return meter.stop(jobs)


def long_run(subject, origin, folder, count):
    """The same for whoever has a `run_of`."""
    jobs, sent = map(int, count.split("x"))
    base, place = f"{origin}/url/{SMALL}/v1", os.path.join(folder, "images")
    subject.run_of(base, prompts(2 * AT_ONCE), os.path.join(folder, "first"), 2 * AT_ONCE)
    meter = Meter()
    meter.start()
    subject.run_of(base, prompts(jobs), place, sent)
    return meter.stop(jobs)


def resumed(subject, origin, folder, count):
    """From the call of `resume` to the first image in its place, none or nearly all of COUNT jobs being done;
    and the seconds of `status`.
    """
    base, place = f"{origin}/url/{SMALL}/v1", os.path.join(folder, "images")
    subject.many(base, prompts(2 * AT_ONCE), os.path.join(folder, "first"), "url")
    subject.go_on(base, subject.jobs(prompts(count), "url"), place, images=AT_ONCE)
    measured, done = {}, AT_ONCE
    for name in ("planned", "done"):
        if name == "done":
            done = subject.pretend_done(place, 4 * AT_ONCE)
        if hasattr(os, "sync"):
            os.sync()  # what the preparation wrote is none of the first call's business
        first, meter = [], Meter()
        meter.start()
        subject.go_on(base, None, place, done + AT_ONCE, lambda row: first.append(meter.stop()))  # noqa: B023
        measured |= {f"resume_{name}_{key}": first[0][key] for key in ("cpu", "wall")}
        taken = []
        for _ in range(5):
            meter.restart()
            report = subject.status(place)
            taken.append(meter.stop()["wall"])
        assert report.total == count and report.done == done + AT_ONCE, report
        measured[f"status_{name}"] = sorted(taken)[2]
    return measured


def paced(subject, origin, folder, count):
    """One run of two that share a pace: COUNT jobs, ORIGIN the base, FOLDER the file of the pace."""
    report = subject.go_on(
        origin,
        subject.jobs(prompts(count), "url"),
        os.path.abspath("images"),
        pace=folder,
        images_per_minute=PER_MINUTE,
    )
    assert report.done == count, report
    return {}


def main():
    """Measure and print."""
    name, scenario, origin, folder, count = sys.argv[1:]
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "subjects"))
    subject = __import__(name)
    count = int(count) if count.isdigit() and scenario != "base64_images" else count
    measured = globals()[scenario](subject, origin, folder, count)
    measured["process_peak"] = resident("VmHWM")
    parts = (f'"{key}": {value}' for key, value in measured.items() if value is not None)
    sys.stdout.write("{" + ", ".join(parts) + "}\n")


main()
