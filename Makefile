# make lab    set up and open the course in JupyterLab
# make test   set up and run everything that can fail
# make app    only the sliders that search noise, in a browser, for a class or a talk
# The rest is for those who carry the course on: CONTRIBUTING.md says when to use which.

PYTHON ?= $(firstword $(foreach p,python3.12 python3.11 python3 python,\
            $(if $(shell $(p) -c 'import sys; print(0 if (3, 11) <= sys.version_info < (3, 13) else "")' 2>/dev/null),$(p))))
BIN := .venv/bin
READY := .venv/ready
INSTALLED := .venv/installed
NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb) $(wildcard exercises/solutions/*.ipynb))
LAB_OPTIONS ?= $(if $(filter 0,$(shell id -u)),--allow-root)

# Two files at a time; a notebook stays in one process, since its cells share a kernel.
PYTEST := $(BIN)/python -m pytest -rs --numprocesses=2 --dist=loadfile --nbval-lax --nbval-current-env --nbval-cell-timeout=600
STRIP := $(BIN)/nbstripout --keep-output --keep-count --keep-id --extra-keys "metadata.language_info.version"

.PHONY: lab app test test-stand-in check notebooks exercises results bench readme lock venv

lab: venv
	$(BIN)/jupyter lab $(LAB_OPTIONS) --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

app: venv
	$(BIN)/voila $(APP_OPTIONS) notebooks/app/noise_explorer.ipynb

test: venv check
	$(PYTEST) tests notebooks exercises

test-stand-in: venv
	COURSE_DATA=stand-in $(PYTEST) notebooks exercises

check: venv
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(STRIP) --verify $(NOTEBOOKS) notebooks/app/noise_explorer.ipynb

notebooks: venv
	$(BIN)/python tools/run_notebooks.py $(NOTEBOOKS)
	$(STRIP) $(NOTEBOOKS)
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

$(READY): $(INSTALLED) pyproject.toml tools/lab_settings.json
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@# The app's button belongs into no notebook, and a class need not answer whether it wants Jupyter's news.
	@$(BIN)/jupyter labextension disable @voila-dashboards/jupyterlab-preview
	@mkdir -p .venv/share/jupyter/lab/settings && cp tools/lab_settings.json .venv/share/jupyter/lab/settings/overrides.json
	@touch $(READY)

$(INSTALLED): requirements.txt
	@test -n "$(PYTHON)" || { echo "The course needs Python 3.11 or 3.12, and none was found. Install one, or name it: make venv PYTHON=/path/to/python"; exit 1; }
	@echo "Setting up .venv with $(PYTHON): some minutes and 3 GB the first time."
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $(INSTALLED)
