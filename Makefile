# `make play` and `make test` set up whatever they need by themselves; a second call starts at once.
.DEFAULT_GOAL := help
.PHONY: help setup play test lint types bench soak monkey demo screenshots clean distclean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## prepare everything: system libraries, .venv, packages for playing, training and testing
	@sh scripts/setup.sh all

play: ## set up what playing needs, then open the synthesizer
	@sh scripts/setup.sh play
	@.venv/bin/noisysynth

test: ## set up everything, then lint, types and tests
	@sh scripts/setup.sh all
	@sh scripts/test.sh

lint: ## ruff: rules and format
	@sh scripts/setup.sh all
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .

types: ## mypy, on the built wheel
	@sh scripts/setup.sh all
	@sh scripts/types.sh

bench: ## measure the kernels on this machine
	@sh scripts/setup.sh all
	@sh scripts/bench.sh

soak: ## play for long on a JACK server; report in docs/soak.md (soak.sh --minutes N for shorter runs)
	@sh scripts/setup.sh all
	@sh scripts/soak.sh $(SOAK)

monkey: ## click, drag, type, drop and quit at random for ten minutes
	@sh scripts/setup.sh all
	@QT_QPA_PLATFORM=offscreen NOISYSYNTH_MONKEY_S=600 .venv/bin/python -m pytest -q -s tests/test_ui_monkey.py

demo: ## type the demo song again (noisysynth/factory/demo.mid)
	@sh scripts/setup.sh play
	@.venv/bin/python scripts/write_demo_song.py

screenshots: ## take the pictures of the window in docs/images/ (needs Xvfb and jackd)
	@sh scripts/setup.sh all
	@sh scripts/screenshots.sh

clean: ## remove what builds and tests leave behind
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache *.egg-info
	@find noisysynth train export ui tests scripts benchmarks -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## and the virtual environment
	@rm -rf .venv
