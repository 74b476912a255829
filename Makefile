# Everything runs from here; `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PYTHONUNBUFFERED := 1

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CODE := keypulse.py infra feature_repo streams scorers tests
COMPILE := $(BIN)/uv pip compile -q pyproject.toml --generate-hashes --no-emit-index-url --no-header \
	--python-version 3.11 --python-platform x86_64-unknown-linux-gnu

.PHONY: help setup stack-deps demo test lint format bench lock clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r target meaning; do \
		printf '  make %-12s %s\n' "$$target" "$$meaning"; done

setup: $(INSTALLED) ## Install the locked Python packages into .venv

$(INSTALLED): requirements.lock pyproject.toml infra/setup/python.sh
	@bash infra/setup/python.sh $(VENV)
	@touch $@

stack-deps: ## Find Java >= 17 and Maven for the local Kafka, or install them from the system's packages
	@bash infra/setup/java.sh

demo: setup stack-deps ## Run the main job from events to suggestions; CATALOGUE=FILE takes your own products
	$(BIN)/keypulse demo $(if $(CATALOGUE),--catalogue "$(CATALOGUE)")

test: setup stack-deps ## Run all tests: unit, property, contract, and integration on real servers
	$(BIN)/pytest $(ARGS)

lint: setup ## Check style, formatting and types
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy

format: setup ## Put code into the format that lint asks for
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: setup stack-deps ## Compare the pipeline with a plain Faust agent and with the limit of the machine
	$(BIN)/keypulse bench

# Half a gigabyte of NCCL is for training on several GPUs; a worker's xgboost predicts without it.
lock: setup ## Resolve pyproject.toml into the lock files (the workers' own has no torch)
	$(COMPILE) --all-extras -o requirements.lock
	$(COMPILE) -c requirements.lock -o requirements-workers.lock --no-emit-package nvidia-nccl-cu12

clean: ## Stop the local servers; remove their data, reports and caches (.venv stays)
	@if [ -x $(BIN)/keypulse ]; then $(BIN)/keypulse stack reset --yes; fi
	rm -rf .keypulse reports build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
