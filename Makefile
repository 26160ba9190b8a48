PYTHON := .venv/bin/python
SOURCES := pipeline components modules schema kubeflow device benchmarks tests

.DEFAULT_GOAL := help
.PHONY: help setup run test test-slow test-cluster lint types check format lock example-spec clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: ## install everything into .venv
	@tools/setup

run: setup ## run the pipeline on generated data (ARGS="--dataset ml-1m --config pipeline/configs/ml-1m.yaml" for others)
	.venv/bin/pocketrec run $(ARGS)

test: setup ## the fast tests
	$(PYTHON) -m pytest -n 2 --dist loadfile $(ARGS)

test-slow: setup ## whole pipelines, kill and scale tests
	$(PYTHON) -m pytest -m slow --timeout 3600 $(ARGS)

test-cluster: setup ## the compiled pipeline as Kubeflow and Vertex AI run it, without a cluster
	$(PYTHON) -m pytest -m slow --timeout 3600 tests/e2e/test_cluster_free.py $(ARGS)

lint: setup ## ruff: lint and format
	.venv/bin/ruff check $(SOURCES)
	.venv/bin/ruff format --check $(SOURCES)

types: setup ## mypy --strict
	$(PYTHON) -m mypy

check: test lint types ## all three

format: setup ## rewrite the sources in ruff's format
	.venv/bin/ruff check --fix $(SOURCES)
	.venv/bin/ruff format $(SOURCES)

lock: ## renew requirements.lock from pyproject.toml (needs uv)
	uv pip compile --upgrade --python-version 3.10 pyproject.toml --extra dev -o requirements.lock \
		--generate-hashes --no-emit-index-url --no-annotate --no-header

example-spec: setup ## renew the compiled example under kubeflow/examples
	.venv/bin/pocketrec compile --target kubeflow --dataset ml-1m --output kubeflow/examples/ml-1m.yaml

clean: ## remove what set-up and tests made; the workspace stays
	rm -rf .venv .uv .pytest_cache .mypy_cache .ruff_cache .hypothesis
