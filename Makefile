# `make demo` runs the main job, `make test` passes every test; both set up what they need.
SHELL := /bin/bash
BIN := .venv/bin
.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: core dev
core:
	@scripts/setup core
dev:
	@scripts/setup dev

.PHONY: demo
demo: core ## the story of a card, from insertion to replacement; no daemon, no root
	@$(BIN)/ssct demo $(DEMO)

.PHONY: kiosk
kiosk: core ## the touch screen on simulated parts, with a developer's panel beside it
	@$(BIN)/ssct kiosk --embedded $(KIOSK)

.PHONY: test
test: dev lint ## lint, types, contracts and every test
	$(BIN)/pytest -n 2 --dist loadgroup $(TEST)

.PHONY: lint
lint: dev ## ruff, mypy strict, import contracts, generated docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/regulation.py --check

.PHONY: format
format: dev ## format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: bench
bench: dev ## commands, bytes and times, as tables
	$(BIN)/python -m benchmarks

.PHONY: bench-list
bench-list: dev ## the blacklist from 10 thousand to 10 million entries, some minutes
	SSCT_BENCH_ENTRIES=10000,100000,1000000,10000000 $(BIN)/python -m benchmarks blacklist

.PHONY: fuzz
fuzz: dev ## the long fuzzing runs: 100 000 commands an application, some minutes
	SSCT_FUZZ_COMMANDS=100000 SSCT_FUZZ_EXAMPLES=2500 SSCT_FUZZ_REQUESTS=250 \
		$(BIN)/pytest -n 2 --timeout 1200 tests/fuzz

SEEDS ?= 1000
.PHONY: simulate
simulate: dev ## let SEEDS=n simulated worlds live in which anything may go wrong
	$(BIN)/ssct simulate --seeds $(SEEDS) --coverage

.PHONY: soak
soak: dev ## 2 000 visits to the kiosk in one browser; nothing may be left behind
	SSCT_SOAK_VISITS=2000 $(BIN)/pytest --timeout 0 -s tests/integration/kiosk/test_soak.py

.PHONY: matrix
matrix: dev ## every single fault and every pair, at every place of every flow
	$(BIN)/ssct simulate --matrix --coverage

.PHONY: screens
screens: dev ## pictures of every screen of the kiosk, into docs/screens
	$(BIN)/python -m tests.integration.kiosk.screens docs/screens

.PHONY: docs
docs: dev ## generate docs/regulation.md from the marks of the tests
	$(BIN)/python scripts/regulation.py

.PHONY: lock
lock: ## pin all dependencies anew (needs uv)
	@scripts/lock

.PHONY: clean
clean: ## remove everything that was made here
	rm -rf .venv .local build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
