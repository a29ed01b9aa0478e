# The verbs of the project; `make help` lists them. Each sets up what it needs.
.DEFAULT_GOAL := help
.PHONY: demo up test lint format bench audit docs wheel web clean help

PYTHON := .venv/bin/python
READY := .venv/.ready
UV = $(or $(wildcard .tools/bin/uv),uv)

# TIER: empty for the quick tests, or a marker of pyproject.toml, such as slow or faults. ARGS goes to pytest.
TIER ?=
ARGS ?=
MARKS := $(or $(TIER),not (slow or browser or faults or nightly or soak))
# Most tests wait most of the time, so two processes run them. Those that break things, and those that watch a browser
# draw, have the machine for themselves.
JOBS ?= 2
BESIDE = $(if $(filter browser faults nightly soak,$(TIER)),,-n $(JOBS) --dist loadfile)

demo: $(READY)  ## Set everything up, run the example three times (whole, stopped, resumed), clean up
	@$(PYTHON) -m stack demo

up: $(READY)  ## The stack in the foreground, until Ctrl-C (TAILRACE_PORT, TAILRACE_DATA)
	@$(PYTHON) -m stack up

test: $(READY)  ## The tests, on real servers and a real container engine (TIER=slow, browser, faults, nightly, soak; ARGS=…)
	@[ -n '$(TIER)$(ARGS)' ] || $(PYTHON) -m stack web-test
	@$(PYTHON) -m pytest -m '$(MARKS)' $(BESIDE) $(ARGS) || { status=$$?; \
		[ -n '$(TIER)' ] && [ $$status = 5 ] && echo 'no tests in tier $(TIER)' || exit $$status; }

lint: $(READY)  ## Style, formatting, types, import contracts, the lock file
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@$(UV) lock --check
	@$(PYTHON) -m stack web-lint

format: $(READY)  ## Rewrite the sources in the project's format
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

bench: $(READY)  ## Ratios to docker run and docker logs -f, in one run, the log, the API and the client in short (ARGS=… for the first)
	@$(PYTHON) -m bench.core $(ARGS)
	@$(PYTHON) -m bench.logs --short
	@$(PYTHON) -m bench.api --short
	@$(PYTHON) -m bench.client

audit: $(READY)  ## Known vulnerabilities of dependencies, credentials in the sources (ARGS=--accept: those found are none)
	@sh stack/audit.sh $(UV) $(ARGS)

docs: $(READY)  ## The pages as a site, in site/, with the reference of the client; a broken link fails
	@NO_MKDOCS_2_WARNING=1 UV_PROJECT_ENVIRONMENT=.tools/docs $(UV) run --locked --quiet --only-group docs mkdocs build

wheel: $(READY)  ## The Python client as a wheel and a source archive, in dist/
	@$(UV) build --quiet --out-dir dist sdk/client && ls dist

web: $(READY)  ## Build the monitor, the page that the API serves at /, unless it is fresh
	@$(PYTHON) -m stack web

clean:  ## Remove the environments and caches; the data stays
	@rm -rf .venv .tools dist site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis web/node_modules web/dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): pyproject.toml uv.lock sdk/client/pyproject.toml stack/setup.sh
	@sh stack/setup.sh
	@touch $@
