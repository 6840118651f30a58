# Everything a fresh machine needs: make run, make test, make check.
PYTHON ?= python3
BIN := .venv/bin
export ARCHGEN_DATA ?= $(abspath ../shared/data)

.PHONY: install services run test check clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

run: install
	$(BIN)/archgen search nas-bench-graph --task cora --budget 100 --seed 0 --dir runs/cora

# What some tests start beside Python; those are skipped where it cannot be had.
services:
	@.ci/services

test: install services
	$(BIN)/python -m pytest -n 2

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) test

clean:
	rm -rf .venv runs
