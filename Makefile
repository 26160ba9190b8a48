PYTHON := .venv/bin/python
SOURCES := pipeline components modules schema kubeflow device benchmarks tools tests notebooks examples
NPM := PATH="$(CURDIR)/.venv/bin:$$PATH" npm --prefix device/web run --silent

.DEFAULT_GOAL := help
.PHONY: help setup web demo run test test-slow test-thorough test-cluster test-notebooks test-browser test-web lint types check format lock example-spec pictures image mlflow-image clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: ## install everything into .venv
	@tools/setup

web: setup ## build what runs in the browser
	@tools/web

demo: setup web ## try the champion in the browser (ARGS="--export public" writes it for a web server)
	.venv/bin/pocketrec demo $(ARGS)

run: setup ## run the pipeline on generated data (ARGS="--dataset ml-1m --config pipeline/configs/ml-1m.yaml" for others)
	.venv/bin/pocketrec run $(ARGS)

test: setup web ## the fast tests
	$(PYTHON) -m pytest -n 2 --dist loadfile $(ARGS)

test-thorough: setup ## what takes seconds each: trainings, every encoder converted, kills
	$(PYTHON) -m pytest -n 2 --dist loadfile -m "thorough and not slow" $(ARGS)

test-slow: setup web ## whole pipelines, kill and scale tests
	$(PYTHON) -m pytest -m slow --timeout 3600 $(ARGS)

test-cluster: setup ## the compiled pipeline as Kubeflow and Vertex AI run it, without a cluster
	$(PYTHON) -m pytest -m slow --timeout 3600 tests/e2e/test_cluster_free.py $(ARGS)

test-notebooks: setup ## the notebooks, executed headless and in a JupyterLab in a real browser
	$(PYTHON) -m pytest -m slow --timeout 3600 tests/notebooks $(ARGS)

test-browser: setup web ## what people see, in a real browser: demo, runtime, dashboard
	$(PYTHON) -m pytest -m "browser and not slow" $(ARGS)

test-web: web ## the fast tests of what runs in the browser, without one
	$(NPM) test

lint: setup web ## ruff and Biome: lint and format
	.venv/bin/ruff check $(SOURCES)
	.venv/bin/ruff format --check $(SOURCES)
	$(NPM) lint

types: setup web ## mypy --strict, tsc --strict
	$(PYTHON) -m mypy
	$(NPM) types

check: test test-web lint types ## all four

format: setup web ## rewrite the sources in ruff's and Biome's format
	.venv/bin/ruff check --fix $(SOURCES)
	.venv/bin/ruff format $(SOURCES)
	$(NPM) format

LOCK = uv pip compile --python-version 3.10 --generate-hashes --no-emit-index-url --no-annotate --no-header

lock: ## renew the locks: of set-up, and of the two images (needs uv)
	$(LOCK) --upgrade pyproject.toml --extra dev -o requirements.lock
	$(LOCK) pyproject.toml -c requirements.lock -o kubeflow/requirements.lock
	$(LOCK) --upgrade kubeflow/mlflow/requirements.in -o kubeflow/mlflow/requirements.lock

example-spec: setup ## renew the compiled example under kubeflow/examples
	.venv/bin/pocketrec compile --target kubeflow --dataset ml-1m --output kubeflow/examples/ml-1m.yaml

WORKSPACE := workspace

pictures: setup web ## renew docs/pictures from a workspace with a champion (WORKSPACE=DIR)
	$(PYTHON) -m tools.pictures --workspace $(WORKSPACE)

IMAGE := pocketrec:0.1.0
MLFLOW_IMAGE := pocketrec-mlflow:3.17.2

image: ## build the container image of the steps (IMAGE=REGISTRY/NAME:TAG; needs docker)
	docker build --platform linux/amd64 --file kubeflow/Dockerfile --tag $(IMAGE) .

mlflow-image: ## build the MLflow server's image (MLFLOW_IMAGE=REGISTRY/NAME:TAG; needs docker)
	docker build --platform linux/amd64 --tag $(MLFLOW_IMAGE) kubeflow/mlflow

clean: ## remove what set-up and tests made; the workspace stays
	rm -rf .venv .uv .pytest_cache .mypy_cache .ruff_cache .hypothesis device/web/node_modules device/web/*/dist
