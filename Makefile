# One command for each thing a person does here. From a bare clone, with Python 3.11 or newer and nothing else.
.DEFAULT_GOAL := help
.PHONY: help demo test bench heads rasa flows lock secrets clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## a running hotline with practice carriers; nothing to sign up for, nothing leaves this machine
	@.ci/bootstrap
	@.venv/bin/harborline demo $(ARGS)

test: ## lint, format, types, doors and every test; HARBORLINE_REQUIRE=all: a missing part is a failure
	@.ci/bootstrap test
	@.ci/check $(ARGS)

bench: ## the benchmarks, against their peers; writes bench/results.md
	@.ci/bootstrap test
	@.venv/bin/python -m bench.pager
	@.venv/bin/python -m bench $(ARGS)

heads: ## train the embedded engine's heads again, from locales/*/nlu.yml
	@.ci/bootstrap
	@.venv/bin/python -m understanding.training.build $(ARGS)

rasa: ## the Rasa side-car: its Python 3.10 environment, and a model from locales/*/nlu.yml
	@.ci/rasa

flows: ## draw docs/flows.md and its pictures again, from dialogs/flows/ and locales/
	@.ci/bootstrap
	@.venv/bin/harborline flows draw --built-in --out docs/flows

# --universal: one file for every Python and processor we support. The second lock takes its pins from the first, so
# that both install side by side. UPGRADE=--upgrade moves everything to its newest release.
UV ?= $(firstword $(wildcard .venv/bin/uv) uv)
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(UPGRADE)

lock: ## write the lock files again from pyproject.toml (needs uv; UPGRADE=--upgrade for newer releases)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: pip install uv, or name one with UV=/path/to/uv" >&2; exit 2; }
	$(COMPILE) pyproject.toml --output-file requirements.lock
	$(COMPILE) --group pyproject.toml:test --constraint requirements.lock --output-file requirements-test.lock
	$(UV) --directory understanding/rasa pip compile --quiet --universal --python-version 3.10 --only-binary :all: \
		--generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock" $(UPGRADE) pyproject.toml --output-file ../../requirements-rasa.lock

secrets: ## make the files that docker-compose.yml reads its passwords from; never overwrites one
	@.ci/secrets

clean: ## remove the environments and what tools left behind; keeps var/ and secrets/
	rm -rf .venv .venv-rasa .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
