"""Set up .venv, for `make venv`: with nothing but Python's own library, since no package is there yet.

One call at a time; another one waits, and then finds everything done. The lock is the operating system's, on this
very file. It ends with the last process that holds it, and pip is one of them: a call that is killed leaves no lock
behind, and nobody who still writes is overtaken.
"""

import fcntl
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

ROOT = Path(__file__).absolute().parent.parent
VENV = ROOT / ".venv"
REQUIREMENTS, PROJECT = ROOT / "requirements.txt", ROOT / "pyproject.toml"
INSTALLED, READY = VENV / "installed", VENV / "ready"
LAB_SETTINGS = ROOT / "tools" / "jupyterlab_settings.json"
PIP = [VENV / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check"]
PACKAGE = re.compile(r"^(?:Collecting|Processing|Requirement already satisfied:) (?:\S*/)?([^\s=]+)", re.MULTILINE)


def take(lock: IO[str]) -> None:
    """Wait until no other call is at work."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Somebody else is setting up .venv just now: waiting for them.", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError:
        pass  # some network drives know no locks


def is_older(made: Path, *sources: Path) -> bool:
    """Must something be made, as `make` would see it?"""
    return not made.exists() or any(source.stat().st_mtime > made.stat().st_mtime for source in sources)


def tell(output: str, total: int, told: object) -> object:
    """Say how far pip is, judged by what it has said: always on a terminal, and in a log after each tenth."""
    packages = PACKAGE.findall(output)
    if not packages:
        return told
    count, doing = len(packages), f"downloading {packages[-1]}"
    if "\nInstalling collected packages" in output:
        count, doing = len(list(VENV.glob("lib/*/site-packages/*.dist-info"))), "unpacking"
    total -= len(re.findall("^Ignoring ", output, re.MULTILINE))  # those of other platforms
    line = f"{min(count, total)} of {total} packages: {doing}"
    tenth = (10 * count // total, doing[:5])
    if sys.stdout.isatty():
        print(f"\r{line:<75.75}", end="", flush=True)
    elif tenth != told:
        print(line, flush=True)
    return tenth


def call(*command: str | Path, lock: IO[str], total: int = 0) -> None:
    """Call something that holds the lock too. When it fails, show all that it has said about that, and end."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:

        def said(file: IO[bytes]) -> str:
            return os.pread(file.fileno(), 1 << 24, 0).decode(errors="replace")

        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=errors, pass_fds=[lock.fileno()])
        told: object = None
        try:
            while process.poll() is None:
                time.sleep(0.2)
                told = tell(said(output), total, told) if total else None
        finally:
            process.terminate()
        if total and sys.stdout.isatty():
            print()
        if process.returncode:
            sys.exit(("" if total else said(output)) + said(errors) + "Setting up .venv failed: see above.")


def trust_notebooks() -> None:
    """Sign the course's own notebooks: in others, JupyterLab shows no noise lab once the page is loaded again."""
    notebooks = [*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("exercises/**/*.ipynb")]
    if notebooks:  # nowhere to write the signatures? The course runs all the same
        subprocess.run([VENV / "bin" / "jupyter", "trust", *notebooks], capture_output=True, check=False)


def hide_python_version_from_git() -> None:
    """JupyterLab writes Python's version into a notebook that is only opened: by this filter git sees no change."""
    clean = r"""sed -e '/^   "version": "3[0-9a-z.]*"$/d' -e 's/^\(   "pygments_lexer": "ipython3"\),$/\1/'"""
    if shutil.which("git"):  # no repository? Then there is nothing to hide
        key = "filter.notebook.clean"
        subprocess.run(["git", "-C", ROOT, "config", key, clean], capture_output=True, check=False)


def main() -> None:
    """Do what is missing or out of date."""
    with Path(__file__).open("a", encoding="utf-8") as lock:
        take(lock)
        if is_older(INSTALLED, REQUIREMENTS):
            total = len(re.findall(r"^[\w.-]+==", REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE))
            version = platform.python_version()
            print(f"Setting up .venv with Python {version}: 3 GB and some minutes the first time.", flush=True)
            call(sys.executable, "-m", "venv", "--clear", VENV, lock=lock)
            call(*PIP, "--require-hashes", "-r", REQUIREMENTS, lock=lock, total=total)
            INSTALLED.touch()
        if is_older(READY, INSTALLED, PROJECT, LAB_SETTINGS):
            call(*PIP, "--no-deps", "--no-build-isolation", "-e", ".", lock=lock)
            settings = VENV / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
            page = VENV / "etc" / "jupyter" / "labconfig" / "page_config.json"
            for path in (settings, page):
                path.parent.mkdir(parents=True, exist_ok=True)
            # A class need not answer whether it wants Jupyter's news, and the app's button belongs into no notebook.
            shutil.copyfile(LAB_SETTINGS, settings)
            disabled = {"disabledExtensions": {"@voila-dashboards/jupyterlab-preview": True}}
            page.write_text(json.dumps(disabled), encoding="utf-8")
            trust_notebooks()
            hide_python_version_from_git()
            READY.touch()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\nStopped. The next call begins anew.", file=sys.stderr)
        sys.exit(130)
