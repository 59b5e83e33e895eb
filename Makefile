# `make demo` and `make test` do all set-up on a machine that has Python 3.11+ and make.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help demo test test-slow check system packages bench clean

help:
	@echo "make demo       set up and run the built-in demo; SECONDS=20 ends it by itself"
	@echo "make test       set up and run the tests, two at a time (under 10 minutes); as root it installs what they use"
	@echo "make test-slow  the tests that need minutes or gigabytes"
	@echo "make check      lint, types, import contracts"
	@echo "make system     install the Debian packages that the fuller tests use (needs root)"
	@echo "make bench      measure; one JSON line a benchmark"

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

demo: $(READY)
	$(BIN)/streamer demo $(if $(SECONDS),--seconds $(SECONDS))

# Two at a time; what must keep time with a device is not beside what computes.
TWO := --numprocesses 2 --dist worksteal

test: $(READY) packages
	$(BIN)/python -m pytest -m "not slow" $(TWO) --ignore tests/live
	$(BIN)/python -m pytest -m "not slow" $(TWO) tests/live

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

PACKAGES := ffmpeg mosquitto mosquitto-clients openssl python3-venv \
	libportaudio2 libasound2-plugins pulseaudio pulseaudio-utils \
	python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-tools \
	gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly

system:
	apt-get update -qq
	apt-get install --yes --no-install-recommends -qq $(PACKAGES)

# For `make test`: what is missing is installed where that needs nobody's password.
packages:
	@dpkg-query --show $(PACKAGES) >/dev/null 2>&1 || \
		{ test "$$(id -u)" = 0 && command -v apt-get >/dev/null && $(MAKE) system; } || \
		echo "without all of these packages some tests are skipped, by name: $(PACKAGES)"

bench: $(READY)
	$(BIN)/python -m benchmarks.windower
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.towers
	$(BIN)/python -m benchmarks.world
	$(BIN)/python -m benchmarks.isolation
	$(BIN)/python -m benchmarks.recording
	$(BIN)/python -m benchmarks.replay

clean:
	rm -rf .venv .demo .pytest_cache .ruff_cache .hypothesis
