"""The gallery of a run, in a browser: photographed at phone and desktop width, walked, and attacked.

Run by the session `screens`: `python gallery.py FOLDER`. The pages are served from loopback beside a page
that frames them, acts as a person would, and writes down what it sees; the browser prints that page.
"""

from __future__ import annotations

import functools
import html
import http.server
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import dalle2
from dalle2 import bulk
from dalle2.bulk._gallery import write_gallery
from dalle2.testing import Emulator

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTHS = {"phone": (390, 844), "desktop": (1280, 900)}
MANY = 5000

DRIVER = """<!doctype html><meta charset="utf-8"><iframe src="PAGE" width="1200" height="800"></iframe>
<pre></pre><script>
const frame=document.querySelector("iframe"),told=[],tell=(k,v)=>told.push(k+"="+v);
onerror=e=>tell("error",e);
frame.onload=()=>{
const w=frame.contentWindow,d=w.document,q=s=>d.querySelector(s),all=s=>[...d.querySelectorAll(s)];
const shown=(s="article")=>all(s).filter(c=>!c.hidden).length;
const key=(k,on=d.activeElement)=>on.dispatchEvent(new w.KeyboardEvent("keydown",{key:k,bubbles:true}));
const find=t=>{q("#find").value=t;q("#find").dispatchEvent(new w.Event("input"))};
tell("hacked",!!(w.hacked||window.hacked));
tell("scripts",all("script").length);
tell("handlers",all("*").filter(e=>[...e.attributes].some(a=>/^on/i.test(a.name))).length);
tell("links",all("a,iframe,object,embed,form,base,link,svg").length);
tell("addresses",all("img[src]").filter(i=>new URL(i.src).origin!==location.origin).length);
all("*").forEach(e=>e.click());if(q("dialog").open)q("dialog").close();
tell("hacked after clicks",!!(w.hacked||window.hacked));
tell("cards",shown());tell("count",q("#told").textContent);
find("LIGHTHOUSE  17");tell("found",shown("[data-state=done]"));
key("Escape",q("#find"));tell("all again",shown());
const box=q("[type=checkbox][value=failed]");
if(box){box.click();tell("without failed",shown());box.click()}
const cards=all("article");cards[0].focus();key("ArrowRight");tell("right",cards.indexOf(d.activeElement));
key("k");tell("back",cards.indexOf(d.activeElement));
key("Enter");tell("opened",q("dialog").open&&!!q("dialog img").src);
key("j");tell("next while open",q("dialog p").textContent===cards[1].querySelector(".prompt").textContent);
q("dialog").close();key("/");tell("slash",d.activeElement.id);
const images=all("img[src]").slice(0,8);images.forEach(i=>i.loading="eager");
setTimeout(()=>{tell("loaded",images.every(i=>i.complete&&i.naturalWidth>0));
document.querySelector("pre").textContent=told.join("\\n");},1500)}
</script>"""

HOSTILE = (
    "</p></article></main><script>top.hacked=hacked=1</script>",
    '"><img src=x onerror="top.hacked=hacked=1">',
    "<svg onload=top.hacked=hacked=1><a href=javascript:top.hacked=1>x</a>",
    "javascript:top.hacked=1",
    "</script></style></title></textarea><script>top.hacked=1</script>",
    "<!--<script>top.hacked=1//-->]]>",
    "<base href=//127.0.0.1:9/><meta http-equiv=refresh content='0;url=javascript:top.hacked=1'>",
    "\u202egnp.done \u2066\u200f\x01\x1b[31m \ufeff\u2028 \U000e0041",
    "<iframe srcdoc='<script>top.hacked=1</script>'></iframe><form action=//x><button>",
    "&lt;script&gt;top.hacked=1&lt;/script&gt; &#60;script&#62; {{constructor.constructor('hacked=1')()}}",
)


class Keys:
    """A store that no page can look into."""

    def put(self, key: str, data: bytes, create: bool) -> None:
        """Forget it."""


def pages(folder: Path) -> dict[str, int]:
    """Make the galleries to look at; how many cards each has."""
    usual = [f"a lighthouse {n} at sunset, woodcut, black on white" for n in range(24)]
    usual[5] += ", with every stone of its tower drawn one by one as if by somebody who had all the time" * 4
    hostile = [bulk.Job(text, dalle2.GenerateRequest(prompt=text, size="256x256")) for text in HOSTILE]
    emulator = Emulator()
    with dalle2.Client("sk-test", http_client=emulator.client()) as client:

        def run(name: str, jobs: list[bulk.Job] | list[str], out: object, *change: str) -> int:
            journal = folder / f"{name}.db"
            bulk.run(client, jobs, journal=journal, out=out, concurrency=1)  # type: ignore[arg-type]
            with closing(sqlite3.connect(journal)) as db:
                for statement in change:
                    db.execute(statement)
                db.commit()
                (count,) = db.execute("SELECT COUNT(*) FROM job").fetchone()
            write_gallery(journal, folder / "pages" / f"{name}.html")
            return int(count)

        (folder / "pages").mkdir(exist_ok=True)
        emulator.fail_next(400, code="moderation_blocked")
        emulator.fail_next(400)
        emulator.lose_next()
        return {
            "usual": run("usual", usual, folder / "out # 100% ünï"),
            "hostile": run(
                "hostile",
                hostile,
                folder / "javascript:top.hacked=1;<b onclick=x>",
                "UPDATE job SET error = id",
            ),
            "kept": run("kept", hostile, Keys()),
            "many": run(
                "many",
                usual[6:7],
                folder / "many",
                f"WITH RECURSIVE k(n) AS (VALUES (2) UNION ALL SELECT n + 1 FROM k WHERE n < {MANY}) "
                "INSERT INTO job SELECT k.n, 'copy ' || k.n, part, state, request, key, images, attempts, "
                "expected, rough, nano, error, meta FROM job, k WHERE job.n = 1",
                "INSERT INTO image SELECT job.n, 1, 'c' || job.n, 'c' || job.n, whole, facts, putting, path, "
                "size, sha256 FROM job, image WHERE job.n > 1 AND image.job = 1",
            ),
        }


def browse(browser: str, *words: str) -> str:
    """What the browser says to a command, with a profile of its own."""
    with tempfile.TemporaryDirectory(prefix="dalle2-browser-") as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += ["--disable-background-networking", f"--user-data-dir={profile}", *words]
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120
        )
    return done.stdout.decode("utf-8", "replace")


def walked(browser: str, address: str, name: str, cards: int) -> None:
    """Drive one page, and compare what was seen."""
    dump = browse(browser, "--virtual-time-budget=20000", "--dump-dom", f"{address}/pages/drive-{name}.html")
    (text,) = re.findall(r"<pre>(.*?)</pre>", dump, re.DOTALL)
    seen = dict(line.split("=", 1) for line in html.unescape(text).splitlines())
    wanted = {
        "hacked": "false",
        "scripts": "1",
        "handlers": "0",
        "links": "0",
        "addresses": "0",
        "hacked after clicks": "false",
        "cards": str(cards),
        "count": f"{cards} shown",
        "all again": str(cards),
        "right": "1",
        "back": "0",
        "next while open": "true",
        "slash": "find",
        "loaded": "true",
    }
    wanted["opened"] = "false" if name == "kept" else "true"
    if name == "usual":
        wanted |= {"found": "2", "without failed": str(cards - 1)}  # by prompt and by id
    wrong = {key: (value, seen.get(key)) for key, value in wanted.items() if seen.get(key) != value}
    if wrong or "error" in seen:
        sys.exit(f"the gallery {name!r} is wrong: {wrong} {seen}")
    print(f"{name}: {cards} cards, walked by keys, sifted, clicked everywhere: as it should be")


def main(folder: Path) -> None:
    """Make the galleries, walk them, and photograph them."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("Chromium is needed: install it with the system's package manager")
    folder.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="gallery-", dir=folder))
    handler = functools.partial(Silent, directory=str(work))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name, cards in pages(work).items():
            page = work / "pages" / f"{name}.html"
            driver = page.with_name(f"drive-{name}.html")
            driver.write_text(DRIVER.replace("PAGE", page.name), encoding="utf-8")
            walked(browser, f"http://127.0.0.1:{server.server_port}", name, cards)
            for kind, (width, height) in WIDTHS.items():
                target = folder / f"gallery-{name}-{kind}.png"
                browse(browser, f"--window-size={width},{height}", f"--screenshot={target}", page.as_uri())
                print(target)
        server.shutdown()


class Silent(http.server.SimpleHTTPRequestHandler):
    """Files, without a word."""

    def log_message(self, *args: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
