# make lab    set up and open the course in JupyterLab
# make test   set up and run everything that can fail
# make app    only the noise lab, in a browser, for a class or a talk
# The rest is for those who carry the course on: CONTRIBUTING.md says when to use which.

PYTHON ?= $(firstword $(foreach p,python3.12 python3.11 python3.13 python3 python,$(if $(call suits,$(p)),$(p))))
suits = $(shell "$(1)" -c 'import sys; print("yes" if (3, 11) <= sys.version_info < (3, 14) else "")' 2>/dev/null)
BIN := .venv/bin
READY := .venv/ready
NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb) $(wildcard exercises/solutions/*.ipynb))
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

# Two files at a time; a notebook stays in one process, since its cells share a kernel.
PYTEST := $(BIN)/python -m pytest -rs --numprocesses=2 --dist=loadfile --nbval-lax --nbval-current-env --nbval-cell-timeout=600

.PHONY: lab app test test-stand-in check notebooks exercises results bench readme lock venv

lab: venv
	$(BIN)/jupyter lab $(AS_ROOT) $(LAB_OPTIONS) --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

app: venv
	$(BIN)/python tools/app.py $(APP_OPTIONS)

test: venv check
	$(PYTEST) tests notebooks exercises

test-stand-in: venv
	COURSE_DATA=stand-in $(PYTEST) notebooks exercises

check: venv
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/nbstripout --keep-output --keep-count --keep-id --extra-keys "metadata.language_info.version" \
	  --verify $(NOTEBOOKS) notebooks/app/noise_lab.ipynb

notebooks: venv
	$(BIN)/python tools/run_notebooks.py $(NOTEBOOKS)
	$(BIN)/python tools/make_exercises.py

exercises: venv
	$(BIN)/python tools/make_exercises.py

results: venv
	$(BIN)/python tools/make_results.py

bench: venv
	$(BIN)/python benchmarks/search_speed.py

readme: venv
	$(BIN)/python tools/make_readme.py

# Every platform, with hashes, and without the address of any package index.
lock: venv
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-header --quiet -o requirements.txt

venv: $(READY)

$(READY): requirements.txt pyproject.toml tools/lab_settings.json
	@test -n "$(call suits,$(PYTHON))" || { echo 'The course needs Python 3.11, 3.12 or 3.13, and $(if $(PYTHON),"$(PYTHON)" is none of them,none was found). Install one, or name it: make $(firstword $(MAKECMDGOALS) lab) PYTHON=/path/to/python3.12' >&2; exit 1; }
	@"$(PYTHON)" tools/set_up.py
