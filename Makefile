# All commands set up what they need. Paths are relative, so the directory may have any name.

.DEFAULT_GOAL := help
SEEDS ?= 20
MINUTES ?= 10
.PHONY: help setup demo test lint format bench flame bench-peers soak lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: ## build the environment .venv (PYTHON=python3.12 chooses the Python); done by the others when needed
	@tools/setup.sh

demo: setup ## trade real prices through the whole system (ARGS="--crash" for 2008, ARGS="--help" for more)
	@.venv/bin/qts demo $(ARGS)

test: setup ## check style, types and layers, then run all tests
	@.venv/bin/python tools/check.py

lint: setup ## check style, types and layers only
	@.venv/bin/python tools/check.py style format types layers

format: setup ## put all Python files into the common format
	@.venv/bin/ruff check --fix --exit-zero --quiet . && .venv/bin/ruff format .

bench: setup ## measure the speed of orders and backtests (ARGS="-k order" for some of it)
	@mkdir -p build
	@.venv/bin/python -m pytest tests/bench --timeout=3600 --benchmark-json=build/bench.json $(ARGS)
	@.venv/bin/python tools/write_performance.py build/bench.json

flame: setup ## draw what the workloads spend their time on (ARGS=w1v for another one)
	@.venv/bin/python tools/flame.py $(ARGS)

bench-peers: ## do the same work in other projects' libraries, side by side (ARGS=optimisers for one family of it)
	@tools/peers/run.sh $(ARGS)

soak: setup ## run the long simulations (SEEDS=100 and MINUTES=30 bound each of them)
	@SEEDS=$(SEEDS) MINUTES=$(MINUTES) .venv/bin/python -m pytest tests/soak -m soak -s --timeout=0 $(ARGS)

lock: ## write requirements.lock anew (ARGS="--upgrade" takes the newest libraries)
	@tools/lock.sh $(ARGS)

clean: ## remove the environment and all caches
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .benchmarks
	find quant_trading_system tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
