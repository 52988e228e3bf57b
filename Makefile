# `make demo` runs the main job on the embedded world, `make test` the tests, `make check` the lints,
# `make deny` the checks of the dependencies, `make book` the documentation as a book.
#
# libtorch comes from LIBTORCH, or from any python3 with torch 2.11 when LIBTORCH_USE_PYTORCH is set;
# else from `torch==2.11.0`, which is installed into .venv once.
SHELL := /bin/bash
OUT ?= runs/demo
# Threads wait without spinning: on a machine that does other work too, libtorch is much slower otherwise.
export OMP_WAIT_POLICY ?= PASSIVE

ifdef LIBTORCH
  libtorch :=
else ifdef LIBTORCH_USE_PYTORCH
  libtorch :=
else
  libtorch := .venv/.torch-2.11.0
  export LIBTORCH_USE_PYTORCH := 1
  export PATH := $(CURDIR)/.venv/bin:$(PATH)
endif

.PHONY: demo build test test-without-torch check deny msrv clean golden oracle study-statistics book

demo: build
	target/release/hardlight demo --out $(OUT)

build: $(libtorch)
	cargo build --release --locked

# Tests run optimised: they train, sample and embed for real.
test: $(libtorch)
	cargo test --release --locked

# The library's own tests without libtorch, of which `make check` compiles all: every dependency is built anew.
test-without-torch:
	cargo test --release --locked --no-default-features --lib

check: $(libtorch)
	cargo fmt --all --check
	cargo clippy --release --locked --all-targets -- -D warnings
	cargo clippy --release --locked --no-default-features --lib --tests -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps

# Licences, sources and bans of the dependencies (deny.toml), and known vulnerabilities where the
# database of RustSec can be fetched.
deny:
	cargo deny --version >/dev/null 2>&1 || cargo install --locked cargo-deny
	cargo deny --locked check licenses bans sources
	if cargo deny --locked fetch db; then \
		cargo deny --locked check --disable-fetch advisories; \
	else \
		echo "advisories were NOT checked: their database cannot be fetched from here" >&2; \
	fi

# Whether the oldest Rust that Cargo.toml promises still compiles it.
msrv: rust = $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
msrv: $(libtorch)
	rustup toolchain install $(rust) --profile minimal
	cargo +$(rust) check --locked --lib --bins
	cargo +$(rust) check --locked --no-default-features --lib

# Regenerates tests/golden with the Python libraries; needs nothing but tests/oracle and pip.
golden:
	tests/oracle/golden.sh

# hardlight against the Python libraries at full size, as one table (about an hour, 24 GB of memory).
oracle: $(libtorch)
	tests/oracle/run.sh

# Whether the statistics hold, counted on drawn classes: writes the tables of docs/statistics.md. Needs no libtorch. With
# CIFAR=DIR, photographs as an ImageFolder, their table too.
study-statistics:
	cargo run --release --locked --no-default-features --example study_statistics -- $(if $(CIFAR),--cifar $(CIFAR))

# The pages of docs/ as a book in target/book.
book:
	@if command -v mdbook >/dev/null; then \
		mdbook build docs && echo "open target/book/index.html"; \
	else \
		echo "mdbook is not installed: cargo install --locked mdbook" >&2; exit 1; \
	fi

.venv/.torch-2.11.0:
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check torch==2.11.0 numpy
	touch $@

clean:
	cargo clean
