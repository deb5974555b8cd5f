# One door for commands; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test lint bench calibrate docs lock soak compat

# Real boundaries of the province, where a developer has them beside the project.
NEARBY := $(wildcard ../shared/boundaries/lao_cai_communes_2025.geojson)
ifneq ($(NEARBY),)
export GIS_BOUNDARIES ?= $(abspath $(NEARBY))
endif

help: ## List these commands
	@sed -n 's/^\([a-z]*\): .*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

# On a developer's machine the first look shows the alerts of the demo without a key.
run: export GIS_PUBLISH_ALERTS ?= all
run: ## Set up what is missing and serve the map on http://localhost:8000
	@.ci/setup run
	@exec .venv/bin/gis up

test: ## Set up what is missing and run all tests, or those of ARGS, on throw-away databases
	@.ci/setup test
	@.venv/bin/pytest -n 2 --durations=15 $(ARGS)

lint: ## Check style, types and the direction of imports
	@.ci/setup test
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

bench: ## Measure against public peers, side by side
	@.ci/setup test
	@for bench in benchmarks/[a-z]*.py; do PYTHONPATH=. .venv/bin/python $$bench || exit 1; done

calibrate: ## Measure how often alarms are wrong and what they find; writes docs/calibration.md
	@.ci/setup test
	@OMP_NUM_THREADS=1 .venv/bin/python -m calibration

docs: ## Write the generated pages of docs/reference and gis/database/schema.sql
	@.ci/setup test
	@.venv/bin/python -m docs.generate

lock: ## Resolve the Python packages anew, for every supported Python, into requirements*.txt
	@.ci/setup lock

PART ?= kills
MINUTES ?= 60
soak: ## Repeat the tests of PART (kills, job-kills, load-kills, fuzz, files or laws) in their long form for MINUTES
	@.ci/setup test
	@.venv/bin/python -m tests.soak $(PART) $(MINUTES)

compat: ## Run lint and all tests of the last commit in a fresh Debian 13; needs root
	@.ci/compat
