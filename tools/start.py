"""Open the course, from a folder that `make handout` has made:

    python start.py

Copy the folder from the stick to your computer first. The first call installs the packages into .venv, from the
folder `wheelhouse` where there is one, without any network. Data in a folder `data` are used.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).absolute().parent
VENV, WHEELHOUSE, DATA = HERE / ".venv", HERE / "wheelhouse", HERE / "data"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
FIRST = "/lab/tree/notebooks/00_start_here.ipynb"


def main() -> int:
    """Install what is missing, then open JupyterLab."""
    if not (3, 11) <= sys.version_info < (3, 14):
        sys.exit(f"The course needs Python 3.11, 3.12 or 3.13, and this is {sys.version.split()[0]}.")
    if not (VENV / "ready").exists():
        print("Installing the packages into .venv: 3 GB and some minutes the first time.", flush=True)
        source = ["--no-index", "--find-links", WHEELHOUSE] if WHEELHOUSE.exists() else []
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        subprocess.run([PYTHON, "-m", "pip", "install", *source, "-r", HERE / "requirements.txt"], check=True)
        (VENV / "ready").touch()
    settings = os.environ | {"PYTHONPATH": str(HERE)}
    if DATA.exists():
        settings["COURSE_DATA_DIR"] = str(DATA)
    command = [PYTHON, "-m", "jupyter", "lab", f"--ServerApp.root_dir={HERE}", f"--LabApp.default_url={FIRST}"]
    return subprocess.run([*command, *sys.argv[1:]], env=settings, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError:
        sys.exit("That failed: see above. The next call begins anew.")
    except KeyboardInterrupt:
        sys.exit(130)
