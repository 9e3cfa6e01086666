# Everything a person does with a checkout. `make` alone lists it; CMake and Ninja do the building.
# Steps say what they do in one line each, on stderr, and are skipped when there is nothing to do.

MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

MODEL := models/all-MiniLM-L6-v2
QEFF := build/release/cli/qeff
TEXT ?= A house is built from the ground up.
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
# More arguments for cmake, such as -DQEFF_WERROR=ON.
CMAKE_ARGS ?=
# A word of the shell that means this text, whatever is in it.
quoted = '$(subst ','\'',$(1))'

.PHONY: help run test lint check bench fuzz install clean

help:
	@printf '%s\n' \
	  'make run [TEXT="…"]       set up what is missing, build, fetch a model, print the embedding of a text' \
	  'make test                 build and run all tests' \
	  'make lint                 the tests of style and structure alone' \
	  'make check                compare with the references: vectors, tokens, ONNX, invariance, time, memory' \
	  'make bench                time the kernels, and the whole model beside onnxruntime' \
	  'make fuzz                 fuzz every reader for FUZZ_SECONDS=60 each' \
	  'make install PREFIX=…     install program, libraries, headers, pkg-config file, CMake package' \
	  'make clean                remove build/ (keeps models/ and .venv/)'

run:
	@tools/setup/packages.sh run
	@tools/setup/build.sh release qeff_cli $(if $(CMAKE_ARGS),-- $(CMAKE_ARGS))
	@tools/setup/venv.sh
	@tools/setup/model.sh
	@echo '$$ $(QEFF) embed $(MODEL) '$(call quoted,$(call quoted,$(value TEXT))) >&2
	@$(QEFF) embed $(MODEL) -- $(call quoted,$(value TEXT))

test:
	@tools/setup/packages.sh run test
	@tools/setup/build.sh release all $(if $(CMAKE_ARGS),-- $(CMAKE_ARGS))
	@tools/setup/venv.sh
	@tools/setup/model.sh
	@QEFF_TEST_MODEL="$(CURDIR)/$(MODEL)" ctest --test-dir build/release --output-on-failure --parallel 2

lint:
	@tools/setup/packages.sh run test
	@tools/setup/build.sh release all $(if $(CMAKE_ARGS),-- $(CMAKE_ARGS))
	@ctest --test-dir build/release --output-on-failure --label-regex lint

check:
	@tools/setup/packages.sh run
	@tools/setup/build.sh release qeff_cli qeff tokenizer_dump $(if $(CMAKE_ARGS),-- $(CMAKE_ARGS))
	@tools/setup/venv.sh tools/setup/check.txt
	@tools/setup/model.sh
	@.venv/bin/python -B tools/check/accuracy.py $(QEFF) $(MODEL)
	@.venv/bin/python -B tools/check/onnx_export.py $(QEFF) $(MODEL)
	@.venv/bin/python -B tools/check/invariance.py $(QEFF) $(MODEL)
	@.venv/bin/python -B tests/golden/tokenizer/compare.py build/release/tests/tokenizer/tokenizer_dump --model $(MODEL)
	@.venv/bin/python -B tools/check/resources.py $(QEFF) $(MODEL)
	@.venv/bin/python -B tools/check/footprint.py $(QEFF)
	@.venv/bin/python -B tools/check/readme.py $(QEFF) $(MODEL)

bench:
	@tools/setup/packages.sh run
	@tools/setup/build.sh release qeff_cli qeff bench_kernels -- -DQEFF_BENCH=ON $(CMAKE_ARGS)
	@tools/setup/venv.sh tools/setup/check.txt
	@tools/setup/model.sh
	@build/release/bench/bench_kernels
	@.venv/bin/python -B bench/compare_onnxruntime.py build/release $(MODEL)

fuzz:
	@tools/setup/packages.sh run check
	@tools/setup/build.sh fuzz all $(if $(CMAKE_ARGS),-- $(CMAKE_ARGS))
	@tools/setup/build.sh release
	@python3 -B tools/fuzz.py build/fuzz build/release $(FUZZ_SECONDS)

install:
	@tools/setup/packages.sh run
	@tools/setup/build.sh release qeff_cli qeff qeff_static $(if $(CMAKE_ARGS),-- $(CMAKE_ARGS))
	@cmake --install build/release --prefix "$(PREFIX)"

clean:
	rm -rf build
