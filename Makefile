# Two commands matter: `make run` and `make test`. Both install what they need into .venv first.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check

.PHONY: run test stories check fix bench soak clean

# Without DISCORD_TOKEN the bot answers on a chat page of this machine; with it, on Discord.
run: $(VENV)/run
ifeq ($(strip $(DISCORD_TOKEN)),)
	@$(PY) -m playground --data data/playground -- $(PY) -m bot
else
	@$(PY) -m bot
endif

test: $(VENV)/dev
	@$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# The browser's stories, the bot killed between any two steps; ten minutes, on a machine with nothing else to do.
stories: $(VENV)/dev
	@ZOETROPE_KILLS=1 $(PY) -m pytest -m story -n 2 --dist loadfile

check: $(VENV)/dev
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m pip check

fix: $(VENV)/dev
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

bench: $(VENV)/dev
	@$(PY) -m bench

# Ten minutes; `make soak MINUTES=60 SEED=7` for others.
MINUTES ?= 10
SEED ?= 1
soak: $(VENV)/dev
	@$(PY) -m bench.soak --minutes $(MINUTES) --seed $(SEED)

$(VENV)/made:
	@test -n "$(PYTHON)" || { echo "Zoetrope needs Python 3.11 or newer."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv is missing; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@touch $@

$(VENV)/run: $(VENV)/made requirements.txt
	@echo "Installing what Zoetrope needs; the first time takes a few minutes."
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/dev: $(VENV)/run requirements-dev.txt
	@$(PIP) -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis
