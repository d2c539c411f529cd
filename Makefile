# Everything is run from here. Each target makes the environment that it needs; the first call takes a minute or two,
# later ones find it made. `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# The first interpreter that is new enough; say `make PYTHON=/path/to/python` for another.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
VENV   ?= .venv
PEERS  ?= benchmarks/.venv-peers
PINNED ?= .venv-pinned
NEWEST ?= .venv-wandb
EXTRAS ?= dev
# By version, before what only wants some torch: then pip takes the build for CPUs alone, where it is offered one (by
# PIP_FIND_LINKS or PIP_EXTRA_INDEX_URL), and not the newest with gigabytes for GPUs.
TORCH  ?= torch==2.13.0
# Tests that take no part in `make test`: they have targets of their own.
DESELECT ?= not slow
# Tests at a time: most wait for processes of their own.
PROCESSES ?= 2
ROUNDS ?= 200
CHAOS  ?= 100
RAYCHAOS ?= 20

BIN    := $(VENV)/bin
READY  := $(VENV)/.ready-$(EXTRAS)
PIP    := -m pip --disable-pip-version-check --quiet install
comma  := ,
# What it is called with on Python 3.11, nothing on later ones.
old     = $(if $(shell $(PYTHON) -c 'import sys; print(*["yes"][sys.version_info >= (3, 12):])'),$(1))
# What is typed and linted: what exists of these.
SOURCES := $(wildcard conftest.py src tests docs benchmarks examples)

.PHONY: help demo demo-sweep test tested programs revision rayed dasked gpu pinned lint format types imports docs simulate bench quality differential mutants laws crash chaos raychaos rayslow soak outage wandb coverage clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# An environment, and in it the project (editable) with what developing takes; again when pyproject.toml changes.
$(BIN)/python:
	@[[ -n "$(PYTHON)" ]] || { echo "Luthier needs Python 3.11 or newer; say: make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(READY): pyproject.toml | $(BIN)/python
	@echo "installing luthier[$(EXTRAS)] into $(VENV) ..."
	$(BIN)/python $(PIP) '$(TORCH)'
	$(BIN)/python $(PIP) --editable '.[$(EXTRAS)]'
	@touch $@

demo: $(READY)  ## tune a classifier of handwritten digits, a few seconds
	$(BIN)/luthier demo

demo-sweep: $(READY)  ## a sweep from end to end: server, three agents, a training script, pages as pictures
	$(BIN)/python examples/sweep/demo.py sweep-demo

test: tested rayed dasked pinned  ## the tests, the examples in docstrings, the code in README and docs; all libraries

# The tests of the server run on SQLite and on a PostgreSQL of their own, and its pages in a real browser; they tell what
# is missing if it is not there.  strace shows whom W&B's client talks to.
programs:  ## PostgreSQL, Chromium and strace by apt, for the tests of the server, where they are not there
	@missing=(); \
	compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || compgen -G '/usr/pgsql-*/bin/initdb' >/dev/null \
		|| command -v initdb >/dev/null || missing+=(postgresql); \
	command -v chromium chromium-browser google-chrome >/dev/null || missing+=(chromium); \
	[[ "$$(uname)" != Linux ]] || command -v strace >/dev/null || missing+=(strace); \
	(( $${#missing[@]} == 0 )) || { sudo=; (( EUID == 0 )) || sudo='sudo -n'; \
		echo "installing $${missing[*]}, for the tests of the server ..."; \
		$$sudo apt-get -qq update && $$sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
			apt-get -qq install --yes --no-install-recommends "$${missing[@]}" >/dev/null; } \
		|| echo "$${missing[*]}: not there, and cannot be installed here: tests of the server will fail." >&2

revision: $(READY)  ## write the database's next revision, from what server/tables.py has changed: NAME=what_changed
	$(BIN)/python -m luthier.server.migrations.write $(NAME)

tested: $(READY) programs  ## those of `make test` that need no second environment
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile --doctest-modules -m '$(DESELECT)' \
		--durations 30 --durations-min 5 --ignore tests/execution/ray --ignore tests/execution/dask \
		src tests $(TESTFLAGS)

# In one process after the other: they share one cluster of several nodes.  It is an error if a process is left of it.
ALONE = $(BIN)/python -m tests.execution.ray.alone $(BIN)/python
rayed: $(READY)  ## the tests on a Ray cluster of this machine
	$(ALONE) -m pytest -m '$(DESELECT)' --durations 10 --durations-min 5 tests/execution/ray

# Not with others in one process: Dask's own processes live as long as its cluster, and it sets the numbers of threads.
dasked: $(READY)  ## the tests on a Dask cluster of this machine
	$(BIN)/python -m pytest -m '$(DESELECT)' tests/execution/dask

# No part of `make test`: most machines have none.
gpu: $(READY)  ## the tests on the GPUs of this machine, with NVIDIA's driver
	@nvidia-smi -L || { echo "make gpu: no GPU answers here" >&2; exit 1; }
	$(BIN)/python -m pytest tests/gpu

# Libraries that want old releases of others live in an environment of their own: Nevergrad and HEBO.  HEBO's numpy knows
# no Python after 3.11; on a later one the tests are Nevergrad's alone.
$(PINNED)/bin/python:
	@[[ -n "$(PYTHON)" ]] || { echo "Luthier needs Python 3.11 or newer; say: make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(PINNED)

$(PINNED)/.ready: pyproject.toml Makefile | $(PINNED)/bin/python
	@echo "installing luthier[pinned] into $(PINNED) ..."
	$(PINNED)/bin/python $(PIP) --upgrade pip
	$(PINNED)/bin/python $(PIP) '$(TORCH)'
	$(PINNED)/bin/python $(PIP) --editable '.[pinned$(call old,$(comma)hebo)]'
	@touch $@

pinned: $(PINNED)/.ready  ## the tests of search algorithms over Nevergrad and HEBO
	$(PINNED)/bin/python -m pytest -p no:cacheprovider tests/pinned/test_nevergrad.py $(call old,tests/pinned/test_hebo.py)

lint: $(READY)  ## ruff
	$(BIN)/ruff check $(SOURCES)

format: $(READY)  ## write the sources as ruff formats them
	$(BIN)/ruff format $(SOURCES)

types: $(READY)  ## mypy, strict
	$(BIN)/mypy $(SOURCES)

imports: $(READY)  ## the layers, the cycles and the purity of the core
	$(BIN)/lint-imports --no-logo

docs: $(READY)  ## the site, in site/; a warning is an error
	NO_MKDOCS_2_WARNING=1 DISABLE_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --quiet

simulate: $(READY)  ## 100 000 trials on simulated workers; regret against time of each scheduler (SIMULATEFLAGS=--quick)
	$(BIN)/python -m benchmarks.simulate
	$(BIN)/python -m benchmarks.regret $(SIMULATEFLAGS)

# The peers live in an environment of their own, with Luthier beside them, so that one run measures all.
$(PEERS)/bin/python:
	@[[ -n "$(PYTHON)" ]] || { echo "Luthier needs Python 3.11 or newer; say: make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(PEERS)

$(PEERS)/.ready: pyproject.toml Makefile | $(PEERS)/bin/python
	@echo "installing Ray Tune, Optuna and other libraries into $(PEERS) ..."
	$(PEERS)/bin/python $(PIP) '$(TORCH)'
	$(PEERS)/bin/python $(PIP) 'ray[tune]==2.60.0' optuna hyperopt nevergrad wandb scikit-learn 'psutil>=5.9' \
		'playwright>=1.45' --editable '.[plot,server]'
	@touch $@

bench: $(PEERS)/.ready  ## speed and memory, beside Ray Tune and Optuna (installs them); BENCHFLAGS="--quick reports"
	$(PEERS)/bin/python -m benchmarks $(BENCHFLAGS)

quality: $(PEERS)/.ready  ## regret of our searches, beside Optuna, HyperOpt and Nevergrad (QUALITYFLAGS=--quick)
	$(PEERS)/bin/python -m benchmarks.quality --keep benchmarks/.quality.jsonl $(QUALITYFLAGS)

differential: $(READY) $(PEERS)/.ready  ## the same results through Ray Tune's schedulers and ours; DIFFLAGS="--seed 7 --cases 500"
	$(BIN)/python -m pytest tests/differential -s --peers $(abspath $(PEERS))/bin/python $(DIFFLAGS)

mutants: $(READY)  ## faults put into the engine by hand: the laws must notice every one
	$(BIN)/python -m tests.laws.mutants

laws: $(READY)  ## the laws of the core, long: every pair of policies, many more worlds
	LUTHIER_LAWS=long $(BIN)/python -m pytest tests/laws --timeout 3600 -p no:cacheprovider

crash: $(READY)  ## kill driver, template and trials at random moments and go on, ROUNDS=200 times; CRASHFLAGS="--seed 1"
	$(BIN)/python -m pytest tests/crash -s --rounds $(ROUNDS) --timeout 3600 $(CRASHFLAGS)

# Agents on machines of their own, in network namespaces, want root and the program ip.
chaos: $(READY)  ## kill servers, agents and trials of sweeps at random, CHAOS=100 times; cut links; send nonsense; CHAOSFLAGS="--seed 1"
	$(BIN)/python -m pytest tests/chaos -s --chaos $(CHAOS) --timeout 7200 $(CHAOSFLAGS)

rayslow: $(READY)  ## what takes long on a Ray cluster of this machine: all examples, Ray Serve, a cluster that grows
	$(ALONE) -m pytest -m slow --timeout 700 tests/execution/ray

raychaos: $(READY)  ## kill nodes, actors and drivers on a Ray cluster of this machine, RAYCHAOS=20 times; RAYCHAOSFLAGS="--seed 1"
	$(ALONE) -m pytest tests/execution/ray/test_chaos.py -s --raychaos $(RAYCHAOS) --timeout 7200 $(RAYCHAOSFLAGS)

soak: $(READY)  ## 2 000 trials in 10 minutes: memory, files and processes of the driver must not grow
	$(BIN)/python -m tests.soak.soak $(SOAKFLAGS)

outage: $(READY)  ## an object store that is away for a minute while trials run
	$(BIN)/python -m pytest tests/storage -m slow --timeout 600

# The client of $(VENV), and beside it the newest that there is, asked for anew each time; the head of each run says which.
# What talks to the server without any client need not be run twice.
wandb: $(READY) programs $(NEWEST)/bin/python  ## W&B's own client (installed, and newest) against our server; half an hour
	$(BIN)/python -m pytest tests/server/wandb -m 'slow or not slow' --timeout 300
	$(NEWEST)/bin/python $(PIP) --upgrade wandb optuna --editable .
	$(BIN)/python -m pytest tests/server/wandb -m 'slow or not slow' --timeout 300 --wandb $(abspath $(NEWEST))/bin/python \
		$(foreach it,examples isolation nonsense protocol,--ignore tests/server/wandb/test_$(it).py)

$(NEWEST)/bin/python:
	@[[ -n "$(PYTHON)" ]] || { echo "Luthier needs Python 3.11 or newer; say: make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(NEWEST)

coverage: $(READY)  ## branch coverage of the core
	$(BIN)/python -m pytest --cov --cov-report=term -m '$(DESELECT)' --doctest-modules src/luthier/core tests

clean:  ## remove the environments and all that tools leave behind
	rm -rf $(VENV) $(PEERS) $(PINNED) $(NEWEST) site build dist htmlcov .coverage .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache
	find src tests docs benchmarks examples -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
