"""From a call to a finding: what is wrong with it on a given day, and the change that mends it.

The rule: what the successor takes is read from the catalogue, so the advice is right as long as the
catalogue is. What cannot be told from the source (the host, the model, the client) is said and not guessed.
No argument of the scanned source is shown except models, sizes and qualities: sources hold keys and prompts.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from datetime import date

import attrs

from ... import catalog
from ..._secrets import one_line
from ...errors import InvalidRequestError
from ._image_calls import Site, is_none
from ._known import Const, Ref, Values, text_of

_LONGEST_NAME = 4096
_NAMES = {"generate": "generate", "edit": "edit", "vary": "edit"}
_SHOWN = {"size": re.compile(r"[0-9]{1,5}x[0-9]{1,5}"), "quality": re.compile(r"[a-z]{1,12}")}
"""What is shown of an argument: nothing that does not look like one."""
_FOR_NEWER = ("background", "moderation", "output_format", "output_compression", "stream", "partial_images")


@attrs.frozen
class Finding:
    """One place in a file, and what is to be known of it.

    `kind` is `"retired"` or `"retiring"` for a call to change, `"host"` for one to change if its host is
    OpenAI's, `"unclear"` for one that is not understood; `"error"` for a file that speaks of image models and
    cannot be read, `"unread"` for any other. `line` and `column` count from 1; in a notebook they count
    inside the code cell number `cell` (from 1, as code cells stand in the file).
    """

    file: str
    line: int
    column: int
    call: str
    model: str | None
    problem: str
    change: str
    kind: str = "retired"
    cell: int | None = None

    def __str__(self) -> str:
        file = self.file if self.file.isprintable() else one_line(self.file, _LONGEST_NAME)
        cell = "" if self.cell is None else f"cell {self.cell}:"
        call = f"{self.call}: " if self.call else ""
        change = f": {self.change}" if self.change else ""
        return f"{file}:{cell}{self.line}:{self.column}: {call}{self.problem}{change}"


def judged(sites: Iterable[Site], filename: str, today: date) -> set[Finding]:
    """The findings for all calls of a file.

    A call is read once for each way that leads to it: it is not understood only if no way tells more.
    """
    places: dict[tuple[int, int], list[Site]] = {}
    for site in sites:
        places.setdefault((site.node.lineno, site.node.col_offset), []).append(site)
    found: set[Finding] = set()
    for same in places.values():
        reasons = [_unclear(site) for site in same]
        if all(reasons):
            found.add(_finding(same[0], filename, None, f"not understood: {reasons[0]}", "", "unclear"))
        told = {
            one
            for site, reason in zip(same, reasons, strict=True)
            if reason is None
            for one in _judge(site, filename, today)
        }
        certain = {one.model for one in told if one.kind != "host"}
        found |= {one for one in told if one.kind != "host" or one.model not in certain}
    return _merged(found)


def _merged(found: set[Finding]) -> set[Finding]:
    """One finding for each call and model, with the changes of all ways that lead to it."""
    changes: dict[Finding, dict[str, None]] = {}
    for one in sorted(found, key=lambda one: (-len(one.change), one.change)):
        parts = dict.fromkeys(filter(None, one.change.split("; ")))
        changes.setdefault(attrs.evolve(one, change=""), {}).update(parts)
    return {attrs.evolve(one, change="; ".join(parts)) for one, parts in changes.items()}


def _unclear(site: Site) -> str | None:
    """Why nothing can be said of a call; `None` if something can."""
    if site.host == "other" or _has_successor(site):
        return None
    names, omitted = _named(site)
    if site.api == "unknown":
        known = " or ".join(repr(name) for name in names if catalog.find(name))
        return f"the client of this call{known and f', for {known},'} is not in the source"
    # Variations are gone whatever model the call names, even one that cannot be read.
    if names or omitted or site.operation == "vary":
        return None
    named = "model" in site.args.named
    return "its model is not in the source" if named else "its arguments are not in the source"


def _judge(site: Site, filename: str, today: date) -> Iterator[Finding]:
    """The findings for one call: one for each retired model that it may name."""
    if site.host == "other" or _has_successor(site):
        return
    for model, named in _models(site):
        gone = "dall-e-2" if site.operation == "vary" else model
        known = catalog.find(gone)
        if known is None or known.retired_on is None:
            continue
        kind = "retired" if catalog.retired(gone, today) else "retiring"
        if kind == "retiring" and catalog.retiring_within(gone, today) is None:
            continue
        when = f"{'was' if kind == 'retired' else 'will be'} retired on {known.retired_on}"
        if site.operation == "vary":
            problem = f"variations were served by 'dall-e-2' alone, and it {when}"
        elif named:
            problem = f"model {model!r} {when}"
        else:
            problem = f"no model is named, and the default, {model!r}, {when}"
        if site.host == "unknown":
            kind, problem = "host", f"if this is OpenAI's host: {problem}"
        successor = catalog.successor_of(gone, today) or catalog.default_successor(today)
        change = "; ".join(_changes(site, model, successor)) if successor else ""
        yield _finding(site, filename, model, problem, change, kind)


def _finding(site: Site, filename: str, model: str | None, problem: str, change: str, kind: str) -> Finding:
    node = site.node
    call = one_line(_dotted(node.func), 100)
    return Finding(filename, node.lineno, node.col_offset + 1, call, model, problem, change, kind)


def _has_successor(site: Site) -> bool:
    given = site.made.named.get("successor") if site.made else None
    return given is not None and not is_none(given)


def _swaps(site: Site) -> bool:
    """Whether this package takes a living model by itself: where nobody names one, or a host."""
    said = site.made.named if site.made else {}
    named = "successor" in said or not is_none(said.get("base_url", (Const(None),)))
    return site.api in ("dalle2", "compat") and not named


def _named(site: Site) -> tuple[list[str], bool]:
    """The models that the call may name, and whether it may name none."""
    given, unread = site.args.named.get("model"), site.args.open
    if given is None and site.api == "dalle2" and site.made is not None:
        given, unread = site.made.named.get("model"), unread or site.made.open
    if given is None:
        return [], not unread
    return text_of(given), any(value == Const(None) or _is_omitted(value) for value in given)


def _models(site: Site) -> list[tuple[str, bool]]:
    """The models that the call may ask for, each with whether it is named."""
    names, omitted = _named(site)
    found = [(name, True) for name in names]
    default = _default(site)
    if default and (omitted or (site.operation == "vary" and not found)):
        found.append((default, False))
    return found


def _is_omitted(value: object) -> bool:
    return isinstance(value, Ref) and value.path in ("openai.NOT_GIVEN", "openai.omit", "openai.NotGiven()")


def _default(site: Site) -> str | None:
    """The model that the host took when none was named.

    For generations it was dall-e-2, or a newer one as soon as a parameter of the newer ones was there; for
    edits dall-e-2 at first, and gpt-image-1.5 later.
    """
    named = site.args.named
    if _swaps(site):
        return None
    if site.api in ("openai-0", "langchain", "dalle2", "compat") or site.operation == "vary":
        return "dall-e-2"
    if any(name in named for name in _FOR_NEWER):
        return None
    old_style = "response_format" in named or set(text_of(named.get("size", ()))) & {"256x256", "512x512"}
    return "dall-e-2" if site.operation == "generate" or old_style else "gpt-image-1.5"


def _changes(site: Site, model: str, successor: str) -> Iterator[str]:
    if site.api == "langchain":
        yield (
            f"the wrapper hands on the answer's URL, and newer models give none: call images.generate with "
            f"model={successor!r} and read b64_json, or generate with dalle2.Client(successor='auto')"
        )
        return
    operation = _NAMES[site.operation]
    if site.operation == "vary":
        edit = "images/edits" if site.api == "http" else "edit"
        yield f"use {edit} with model={successor!r} and a prompt that says what to vary"
    else:
        yield f"use model={successor!r}"
    if site.api == "openai-0":
        yield f"openai.Image left the SDK with version 1.0: call OpenAI().images.{operation}"
    for name, values in site.args.named.items():
        yield from _change(operation, successor, name, values)
    if not model.startswith("dall-e"):
        return
    if "response_format" not in site.args.named:
        yield "the answer holds base64 (b64_json), never a URL"
    if promise := _promise(site):
        yield promise


def _promise(site: Site) -> str | None:
    """How the call runs on as it stands; each of these ways is tested by running it."""
    prefix = "Async" if site.asynchronous else ""
    compat = f"dalle2.compat.{prefix}OpenAI(successor='auto')"
    match site.api:
        case "http":
            return f"or call dalle2.Client(successor='auto').{site.operation}"
        case "dalle2":
            return f"or run it unchanged with dalle2.{prefix}Client(successor='auto')"
        case "openai-0":
            return "or run it unchanged with import dalle2.compat as openai, and openai.successor = 'auto'"
        case "compat":
            return f"or run it unchanged with {compat}"
    if "with_streaming_response" in _dotted(site.node.func):
        return None
    return (
        f"or run it unchanged with {compat}, or, where other calls need the same client, after "
        "dalle2.compat.install(successor='auto')"
    )


def _change(operation: str, successor: str, name: str, values: Values) -> Iterator[str]:
    if name in ("response_format", "style"):
        why = ": the answer always holds base64 (b64_json), never a URL" if name == "response_format" else ""
        yield f"drop {name}{why}"
    elif name in ("size", "quality"):
        for text in filter(_SHOWN[name].fullmatch, text_of(values)):
            try:
                catalog.check(operation, successor, {name: text})
            except InvalidRequestError:
                yield _replacement(successor, name, text)


def _replacement(successor: str, name: str, text: str) -> str:
    if name == "quality":
        instead = {"hd": "high", "standard": "medium"}.get(text, "auto")
        return f"quality {text!r} becomes {instead!r}"
    model = catalog.find(successor)
    covering = catalog.covering_size(model, text) if model else None
    return f"size {text} is not available there: ask for {covering or '1024x1024'} and scale the image"


def _dotted(node: ast.expr) -> str:
    """The called expression without any argument, since arguments can hold keys."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Call):
        return f"{_dotted(node.func)}()"
    return "(...)"
