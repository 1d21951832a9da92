# make lab    set up and open the course in JupyterLab
# make test   set up and run everything that can fail
# make app    only the noise lab, in a browser, for a class or a talk
# make book   the course to read, in build/book
# The rest is for those who carry the course on: CONTRIBUTING.md says when to use which.

PYTHON ?= $(firstword $(foreach p,python3.12 python3.11 python3.13 python3 python,$(if $(call suits,$(p)),$(p))))
suits = $(shell "$(1)" -c 'import sys; print("yes" if (3, 11) <= sys.version_info < (3, 14) else "")' 2>/dev/null)
BIN := .venv/bin
READY := .venv/ready
NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb) $(wildcard exercises/solutions/*.ipynb))
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

# Two files at a time, in this order, with those that take longest first; a notebook stays in one process, since its
# cells share a kernel. Each process has half of the processors: more threads only wait for one another.
THREADS := $(shell expr '(' $$(getconf _NPROCESSORS_ONLN) + 1 ')' / 2)
PYTEST := TF_NUM_INTRAOP_THREADS=$(THREADS) OMP_NUM_THREADS=$(THREADS) $(BIN)/python -m pytest -rs --numprocesses=2 --dist=loadfile --no-loadscope-reorder --nbval-lax --nbval-current-env --nbval-cell-timeout=600
LONGEST := tests/test_browser.py notebooks/06_immune_to_every_target.ipynb

.PHONY: lab app test solutions nightly fallback test-all seeds check notebooks exercises translations pages results bench bench-cluster bench-waiting readme lock venv
.PHONY: book handout wheelhouse slides progress

lab: venv
	$(if $(LANGUAGE),$(BIN)/python tools/translations.py)
	$(BIN)/jupyter lab $(AS_ROOT) $(LAB_OPTIONS) --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/$(if $(LANGUAGE),translations/$(LANGUAGE)/)notebooks/00_start_here.ipynb

app: venv
	$(BIN)/python tools/app.py $(APP_OPTIONS)

test: venv check
	$(PYTEST) -m "not nightly" $(LONGEST) notebooks tests exercises/*.ipynb

# What takes longer: the solutions, the tests of what they train and attack for long, the app, the lab on its page, a
# teacher's tools, installations, the fallback data. .ci/run says which of it CI runs.
solutions: venv
	$(PYTEST) exercises/solutions

nightly: venv
	$(PYTEST) -m nightly tests

fallback: venv
	COURSE_DATA=stand-in $(PYTEST) notebooks exercises

test-all: test solutions nightly fallback

# That the accepted ranges of all claims and checks hold for five seeds: every week, and before a release.
seeds: venv
	for seed in 0 1 2 3 4; do COURSE_SEED=$$seed $(PYTEST) $(NOTEBOOKS) || exit; done

check: venv
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --quiet --check
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-logo >/dev/null || $(BIN)/lint-imports --no-logo
	$(BIN)/nbstripout --keep-output --keep-count --keep-id --keep-metadata-keys "cell.metadata.collapsed" \
	  --extra-keys "metadata.language_info.version" --verify $(NOTEBOOKS) notebooks/app/noise_lab.ipynb
	@if command -v actionlint >/dev/null; then actionlint; else echo 'actionlint is not installed: .github/workflows was not checked.'; fi

notebooks: venv
	$(BIN)/python tools/run_notebooks.py $(NOTEBOOKS)
	$(BIN)/python tools/make_exercises.py

exercises: venv
	$(BIN)/python tools/make_exercises.py

translations: venv
	$(BIN)/python tools/translations.py

# Each notebook as one HTML file, in build/pages.
pages: venv
	$(BIN)/python tools/make_pages.py $(NOTEBOOKS)

results: venv
	$(BIN)/python tools/make_results.py $(if $(CHECK),--check) $(if $(WORKERS),--workers $(WORKERS)) $(if $(CLUSTER),--cluster $(CLUSTER)) $(NAMES)

bench-waiting: venv
	$(BIN)/python benchmarks/waiting.py $(if $(ALL),--all)

bench: venv
	$(BIN)/python benchmarks/search_speed.py
	$(BIN)/python benchmarks/lab_page.py

bench-cluster: venv
	$(BIN)/python benchmarks/cluster.py

readme: venv
	$(BIN)/python tools/make_readme.py

book: venv
	$(BIN)/python tools/make_book.py

# For a teacher; the book says how to use them.
handout: venv
	$(BIN)/python tools/teaching.py handout $(if $(LANGUAGE),--language=$(LANGUAGE)) $(if $(COURSE_REPOSITORY),--repository=$(COURSE_REPOSITORY))

wheelhouse: venv
	$(BIN)/python -m pip download --disable-pip-version-check --quiet --only-binary=:all: --require-hashes -r requirements.txt -d build/wheelhouse

slides: venv
	$(BIN)/python tools/teaching.py slides $(if $(REVEAL),--reveal=$(REVEAL)) $(if $(filter file,$(origin NOTEBOOKS)),notebooks/00_start_here.ipynb notebooks/04_universal_noise.ipynb,$(NOTEBOOKS))

progress: venv
	$(BIN)/python tools/teaching.py progress $(if $(MINUTES),--minutes=$(MINUTES)) "$(STUDENTS)"

# Every platform, with hashes, and without the address of any package index.
lock: venv
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-header --quiet $(LOCK_OPTIONS) -o requirements.txt

venv: $(READY)

$(READY): requirements.txt pyproject.toml tools/jupyterlab_settings.json
	@test -n "$(call suits,$(PYTHON))" || { echo 'The course needs Python 3.11, 3.12 or 3.13, and $(if $(PYTHON),"$(PYTHON)" is none of them,none was found). Install one, or name it: make $(firstword $(MAKECMDGOALS) lab) PYTHON=/path/to/python3.12' >&2; exit 1; }
	@"$(PYTHON)" tools/set_up.py
