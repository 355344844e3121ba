"""A run to look through: one static page with every picture, its prompt, its state and its cost.

The rule: whatever a prompt, an id or an error says is text. It is escaped where it is written, and the
page's own policy forbids every script and style but the two that are in it, so that nothing else could run
if it were not. The pictures stay files: the page names them relative to itself, and a browser loads what
comes into view.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import closing
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from .._results._atomic import AtomicFile
from ._receipt import NANO
from ._schema import journal_path, open_for_reading
from ._standing import counts, notes_in

if TYPE_CHECKING:
    import sqlite3

_MARK = b"<!doctype html><!-- dalle2 gallery -->"
_STYLE = """
:root{color-scheme:light dark;--line:#8884;--mark:#2563eb}
*{box-sizing:border-box}
body{margin:0;font:16px/1.4 system-ui,sans-serif}
header{position:sticky;top:0;z-index:1;display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:center;
padding:.6rem 1rem;background:Canvas;border-bottom:1px solid var(--line)}
h1{font-size:1.1rem;margin:0}
input{font:inherit;padding:.35rem .6rem;flex:1 1 12rem;min-width:0;max-width:32rem}
label{white-space:nowrap}
label input{flex:none}
main{display:grid;gap:1rem;padding:1rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,15rem),1fr))}
article{border:1px solid var(--line);border-radius:.5rem;overflow:hidden;content-visibility:auto;
contain-intrinsic-size:15rem 20rem}
article:focus{outline:3px solid var(--mark);outline-offset:2px}
article[hidden]{display:none}
.frame{display:block;width:100%;aspect-ratio:1;object-fit:contain;background:#8882;border:0}
.none{display:grid;place-items:center;padding:1rem;font-size:1.2rem;overflow-wrap:anywhere;text-align:center}
.text{padding:.6rem .75rem;overflow-wrap:anywhere}
.text p{margin:.2rem 0}
.prompt{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:4;overflow:hidden}
.facts{font-size:.85rem;opacity:.8}
.error{font-size:.85rem;color:light-dark(#b00020,#ff8a80)}
dialog{max-width:96vw;max-height:96vh;padding:0;border:0;background:#000;color:#fff}
dialog img[hidden]{display:none}
dialog img{display:block;max-width:96vw;max-height:86vh;margin:auto}
dialog p{margin:.5rem 1rem;overflow-wrap:anywhere;max-height:9vh;overflow:auto}
dialog img[hidden]+p{max-height:90vh}
dialog::backdrop{background:#000c}
"""
_SCRIPT = """
const cards=[...document.querySelectorAll("article")],find=document.getElementById("find"),
boxes=[...document.querySelectorAll("header [type=checkbox]")],told=document.getElementById("told"),
big=document.querySelector("dialog");
let current=cards[0];
const seen=()=>cards.filter(c=>!c.hidden);
function sift(){
const words=find.value.toLowerCase().split(/\\s+/).filter(Boolean);
const off=new Set(boxes.filter(b=>!b.checked).map(b=>b.value));
for(const c of cards){const text=c.textContent.toLowerCase();
c.hidden=off.has(c.dataset.state)||!words.every(w=>text.includes(w))}
told.textContent=seen().length+" shown"}
function show(c){
const from=c.querySelector("img"),to=big.querySelector("img");
to.hidden=!from;if(from){to.src=from.src;to.alt=from.alt}
big.querySelector("p").textContent=c.querySelector(".prompt").textContent;
if(!big.open)big.showModal()}
function step(by){
const all=seen(),next=all[Math.max(0,Math.min(all.length-1,all.indexOf(current)+by))];
if(next){current=next;next.focus();next.scrollIntoView({block:"nearest"});if(big.open)show(next)}}
for(const c of cards){
c.addEventListener("focus",()=>current=c);
c.addEventListener("click",()=>{c.focus();show(c)})}
find.addEventListener("input",sift);
for(const b of boxes)b.addEventListener("change",sift);
big.addEventListener("click",()=>big.close());
big.addEventListener("close",()=>current&&current.focus());
document.addEventListener("keydown",e=>{
if(e.ctrlKey||e.metaKey||e.altKey)return;
if(e.target===find){if(e.key==="Escape"){find.value="";sift();find.blur()}return}
if(e.key==="/"){e.preventDefault();find.focus()}
else if(e.key==="ArrowRight"||e.key==="j"){e.preventDefault();step(1)}
else if(e.key==="ArrowLeft"||e.key==="k"){e.preventDefault();step(-1)}
else if(e.key==="Enter"&&current&&!big.open&&e.target.type!=="checkbox"){e.preventDefault();show(current)}});
sift();
"""


def _allowed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_POLICY = (
    f"default-src 'none'; img-src 'self' file:; style-src {_allowed(_STYLE)}; script-src "
    f"{_allowed(_SCRIPT)}; "
    "base-uri 'none'; form-action 'none'"
)


def write_gallery(journal: str | os.PathLike[str], page: str | os.PathLike[str]) -> Path:
    """Write the page of a journal; a page of before is replaced, and nothing else is.

    Raises `JournalError` for the journal, `FileExistsError` and other `OSError`s for the page.
    """
    path, target = journal_path(journal), Path(page)
    with closing(open_for_reading(path)) as db:
        if target.exists() and not _is_ours(target):
            raise FileExistsError(17, "exists and is no gallery: name another page", str(target))
        with AtomicFile(target, overwrite=True) as file:
            for piece in _page(db, path.name, target.absolute().parent):
                file.write(piece.encode("utf-8", "replace"))
            return file.commit(overwrite=True)


def _is_ours(page: Path) -> bool:
    with open(page, "rb") as file:
        return file.read(len(_MARK)) == _MARK


def _page(db: sqlite3.Connection, name: str, folder: Path) -> Iterator[str]:
    told = counts(db)
    states = [state for (state,) in db.execute("SELECT DISTINCT state FROM job ORDER BY state")]
    boxes = "".join(
        f'<label><input type="checkbox" value="{state}" checked> {state}</label>'
        for state in map(escape, states)
    )
    yield (
        f'{_MARK.decode()}<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="referrer" content="no-referrer">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(name)}</title><style>{_STYLE}</style></head><body><header><h1>{escape(name)}</h1>"
        f"<span>{told['done']:.0f} done, ${told['usd']:.2f}</span>"
        f'<input id="find" type="search" placeholder="Filter (/)" aria-label="Filter">{boxes}'
        '<span id="told" aria-live="polite"></span></header><main>'
    )
    yield from _cards(db, folder)
    yield (
        '</main><dialog aria-label="Picture"><img alt=""><p></p></dialog>'
        f"<script>{_SCRIPT}</script></body></html>\n"
    )


def _cards(db: sqlite3.Connection, folder: Path) -> Iterator[str]:
    notes = notes_in(db)
    root, out = notes.get("folder"), notes.get("out")
    shown = out if isinstance(out, str) else ""
    rows = db.execute(
        "SELECT id, state, request, COALESCE(nano, expected), error, path FROM job "
        "LEFT JOIN image ON image.job = job.n AND (path IS NOT NULL OR place = 1) ORDER BY job.n, place"
    )
    for id, told, request, nano, error, path in rows:
        state, prompt = escape(told), escape(str(json.loads(request).get("prompt") or ""))
        if path is None:
            picture = f'<div class="frame none">{state}</div>'
        elif isinstance(root, str):
            picture = (
                f'<img class="frame" loading="lazy" decoding="async" alt="{prompt}" '
                f'src="{_address(os.path.join(root, path), folder)}">'
            )
        else:  # it is kept where a page cannot look
            picture = f'<div class="frame none">{escape(os.path.join(shown, path))}</div>'
        cost = f" · ${nano / NANO:.3f}" if nano is not None and told in ("done", "expired", "held") else ""
        trouble = f'<p class="error">{escape(error)}</p>' if error else ""
        yield (
            f'<article tabindex="0" data-state="{state}">{picture}<div class="text">'
            f'<p class="prompt">{prompt}</p>'  # each text turns its own direction only
            f'<p class="facts"><bdi>{escape(id)}</bdi> · {state}{cost}</p>{trouble}</div></article>\n'
        )


def _address(file: str, folder: Path) -> str:
    """A file as a browser reaches it from the page's folder, whatever bytes are in its name."""
    return quote(os.fsencode(os.path.relpath(file, folder).replace(os.sep, "/")))
