# `make help` lists the targets. Everything runs in .venv, pinned by constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# uv installs and compiles in half a minute what takes pip a hundred seconds; where uv cannot reach the index, pip does it
INSTALL = $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt $(1) 2>/dev/null || $(PIP) $(1)
# with this variable, each of the hundreds of commands that tests start would compile the code anew
unexport PYTHONDONTWRITEBYTECODE
export LEADGATE_HOME ?= $(CURDIR)/.leadgate

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.runtime: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Leadgate needs Python 3.11 or newer: make PYTHON=python3.11 …" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)
	@echo 'installing what Leadgate needs into $(VENV), half a minute'
	@$(PIP) uv || true
	@$(call INSTALL,--editable .)
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	@$(call INSTALL,--editable '.[dev]')
	@touch $@

.PHONY: setup
setup: $(VENV)/.dev ## everything that development needs, in .venv

.PHONY: demo
demo: $(VENV)/.runtime ## the example leads through all six stages, with a summary
	@$(BIN)/leadgate capture examples/website.csv --source website
	@$(BIN)/leadgate capture examples/trade_show.csv --source trade_show
	@$(BIN)/leadgate capture examples/partner.jsonl --source partner
	@$(BIN)/leadgate capture examples/linkedin_ads.xlsx --source linkedin_ads
	@$(BIN)/leadgate capture examples/webinar.csv --source webinar
	@$(BIN)/leadgate capture examples/activities.csv --source activities
	@$(BIN)/leadgate run
	@$(BIN)/leadgate user demo

.PHONY: demo-crm
demo-crm: $(VENV)/.runtime ## the example leads into and out of a fake HubSpot and a fake Salesforce, on this machine
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.crm_demo

.PHONY: test
test: style ## lint, types, import rules and all tests
	@mkdir -p build
	@# types are checked beside the tests; three processes on two cores, as tests wait for something a third of their time
	@$(BIN)/mypy > build/types.txt 2>&1 & types=$$!; \
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder; tests=$$?; \
	wait $$types || { cat build/types.txt; exit 1; }; exit $$tests

.PHONY: lint
lint: style ## style, types and import rules
	$(BIN)/mypy

.PHONY: style
style: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

.PHONY: unit
unit: $(VENV)/.dev ## the pure tests alone: no Prefect, database or Great Expectations
	$(BIN)/python -m pytest tests/unit --numprocesses 2 --dist loadfile --hypothesis-profile=quick

.PHONY: bench
bench: $(VENV)/.dev ## leads a second through all six stages, beside the bare decisions; build/bench.json
	$(BIN)/python -m benchmarks.throughput

.PHONY: bench-capture
bench-capture: $(VENV)/.dev ## a million CSV rows: rows a second, and that memory stays bounded
	$(BIN)/python -m benchmarks.capture

.PHONY: bench-latency
bench-latency: $(VENV)/.dev ## from a request to its owner, at 1 and at 20 leads a second; build/bench-latency.json
	$(BIN)/python -m benchmarks.latency

.PHONY: bench-http
bench-http: $(VENV)/.dev ## leads accepted over HTTP and processed, 32 connections for a minute; build/bench-http.json
	$(BIN)/python -m benchmarks.http_throughput

.PHONY: bench-consumers
bench-consumers: $(VENV)/.dev ## one, two and four always-on consumers on the same work; build/bench-consumers.json
	$(BIN)/python -m benchmarks.consumers

.PHONY: bench-http-capture
bench-http-capture: $(VENV)/.dev ## signed signals over HTTP, 32 connections: accepted a second, and how soon; build/bench-http-capture.json
	$(BIN)/python -m benchmarks.http_load

.PHONY: bench-day
bench-day: $(VENV)/.dev ## what a day leaves in the databases, and what housekeeping takes away; build/bench-day.json
	$(BIN)/python -m benchmarks.day

.PHONY: bench-growth
bench-growth: $(VENV)/.dev ## leads and read commands on a ledger of 300,000 leads beside an empty one; build/bench-growth.json
	$(BIN)/python -m benchmarks.growth $(if $(MEMORY),--memory $(MEMORY))

.PHONY: bench-replay
bench-replay: $(VENV)/.dev ## how long a replay takes beside the stages that decided, and that it comes out the same; build/bench-replay.json
	$(BIN)/python -m benchmarks.replay $(if $(DAYS),--days $(DAYS)) $(if $(LARGE),--large $(LARGE))

.PHONY: bench-shadow
bench-shadow: $(VENV)/.dev ## what a shadow costs live leads, in pairs with and without one; a tenth at most, or exit 1; build/bench-shadow.json
	$(BIN)/python -m benchmarks.shadow

.PHONY: bench-records
bench-records: $(VENV)/.dev ## a made-up year of 2,000 customers, day by day: no slip forgotten, no renewal without an owner, or exit 1
	$(BIN)/python -m benchmarks.records_year $(if $(EVERY),--every $(EVERY))

.PHONY: bench-console
bench-console: $(VENV)/.dev ## pages of the console on 300,000 leads with 50 people; exit 1 over 150 ms; build/bench-console.json
	$(BIN)/python -m benchmarks.console

.PHONY: bench-forecast
bench-forecast: $(VENV)/.dev ## the forecast of 10,000 opportunities with 10 updates each: from updates, and from a snapshot
	PYTHONPATH=tests $(BIN)/python -m benchmarks.forecast

.PHONY: pictures
pictures: $(VENV)/.dev ## the pictures of the console in the README, from the example leads, with Chromium
	$(BIN)/python -m benchmarks.console_pictures

.PHONY: bench-matching
bench-matching: $(VENV)/.dev ## precision and recall of matching persons and accounts beside Splink, and its speed; build/bench-matching.json
	@$(call INSTALL,--editable '.[bench]')
	$(BIN)/python -m benchmarks.matching $(if $(LABELLED),--labelled $(LABELLED)) $(if $(SEED),--seed $(SEED))

.PHONY: bench-enrichment
bench-enrichment: $(VENV)/.dev ## 1,000 look-ups at a service that takes 200 ms each; exit 1 from 10 s on; build/bench-enrichment.json
	$(BIN)/python -m benchmarks.enrichment

.PHONY: bench-crm
bench-crm: $(VENV)/.dev ## how near to HubSpot's limit leads are written, by one process and by two; exit 1 below 0.9; build/bench-crm.json
	PYTHONPATH=tests $(BIN)/python -m benchmarks.crm_throughput

.PHONY: bench-linear
bench-linear: $(VENV)/.dev ## readers of hostile texts: time at four times the length as a ratio; exit 1 when one is quadratic
	$(BIN)/python -m benchmarks.linear_time

.PHONY: bench-optimisations
bench-optimisations: $(VENV)/.dev ## what prepared gates and prepared expressions gain over the plain way
	$(BIN)/python -m benchmarks.optimisations

.PHONY: storm
storm: $(VENV)/.dev ## everything killed, in turn and at random, under load; nothing may be lost or done twice
	$(BIN)/python -m benchmarks.storm
	$(BIN)/python -m benchmarks.outage
	$(BIN)/python -m benchmarks.prefect_away

.PHONY: storm-crm
storm-crm: $(VENV)/.dev ## leads written to CRMs that fail in every way, by processes that are killed; build/crm-storm.json
	PYTHONPATH=tests $(BIN)/python -m benchmarks.crm_storm $(if $(LEADS),--leads $(LEADS)) $(if $(SEED),--seed $(SEED))

.PHONY: attack
attack: $(VENV)/.dev ## attack an installation of our own on loopback; exit 1 when a promise is broken
	$(BIN)/python -m benchmarks.attack

.PHONY: fuzz
fuzz: $(VENV)/.dev ## the poison hunt: values and errors of every kind among good leads, ten minutes; build/fuzz.json
	$(BIN)/python -m benchmarks.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

.PHONY: clean
clean: ## remove what was built, .venv and the data folder
	rm -rf $(VENV) build .leadgate .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
