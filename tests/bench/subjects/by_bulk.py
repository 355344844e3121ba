"""Many images with this package: `bulk.run`, its journal beside the folder."""

# ruff: noqa: D103 - `worker.py` says what each function is for

import os

KEY = "sk-test"


def jobs(prompts, answers):
    from dalle2 import GenerateRequest, bulk

    asked = {"response_format": "b64_json"} if answers == "b64" else {}
    for number, prompt in enumerate(prompts):
        yield bulk.Job(str(number), GenerateRequest(prompt=prompt, **asked))


def many(base, prompts, folder, answers):
    go_on(base, jobs(prompts, answers), folder)


def go_on(base, asked, folder, images=None, told=None, **pace):
    """A run of these jobs, of at most so many images; without jobs, the next run of what is there."""
    import dalle2
    from dalle2 import bulk

    budget = None if images is None else dalle2.Budget(max_images=images)
    wishes = {"journal": f"{folder}.db", "budget": budget, "on_outcome": told, **pace}
    with dalle2.Client(api_key=KEY, base_url=base) as client:
        if asked is None:
            return bulk.resume(client, **wishes)
        return bulk.run(client, asked, out=folder, **wishes)


def status(folder):
    from dalle2 import bulk

    return bulk.status(f"{folder}.db")


def pretend_done(folder, left):
    """What runs would have left of a journal that is loaded: all but the last `left` jobs done."""
    import sqlite3

    os.makedirs(folder, exist_ok=True)
    db = sqlite3.connect(f"{folder}.db")
    with db:
        (count,) = db.execute("SELECT COUNT(*) FROM job").fetchone()
        last = (count - left,)
        ended = "state = 'done', nano = expected, attempts = 1"
        kept = "facts = '{}', path = name || '.png', size = 4"
        db.execute(f"UPDATE image SET {kept} WHERE path IS NULL AND job <= ?", last)
        db.execute(f"UPDATE job SET {ended} WHERE state = 'planned' AND n <= ?", last)
        db.execute(
            "INSERT OR IGNORE INTO attempt (job, number, key, state, sent_at, images, nano) "
            "SELECT n, 1, key, 'answered', 0, images, nano FROM job WHERE state = 'done'"
        )
        for (path,) in db.execute("SELECT path FROM image WHERE size = 4"):
            with open(os.path.join(folder, path), "wb") as file:
                file.write(b"\x89PNG")
    db.close()
    return count - left
