# The front door. `make demo` shows everything, `make test` checks everything; CI calls nothing else.
#   make doctor   what this machine lacks, each with its command; compiles nothing
#   make build    the functions and the `slipway` command
#   make demo     doctor, build, a cloud on this machine, two commits on their way; KEEP=1 leaves it up
#   make test     doctor, formatting, lints, cfn-lint, all tests
#   make sam       each function in SAM's container, against a cloud on this machine; `make test` does it too
#   make chaos    a hundred runs while functions are killed and AWS fails; RUNS=20 SEED=7 choose
#   make bench    the release build, measured and compared with the last result; ONLY=run,burst takes parts
#   make up       a cloud on this machine until Ctrl-C;  make down  ends it from elsewhere

SHELL := /bin/sh
SLIPWAY := target/debug/slipway
KEEP ?= 0
PORT ?= 4570
RUNS ?= 100
SEED ?= 1

.PHONY: doctor sam-cli build demo test sam up down reference bench chaos

doctor:
	@sh infra/doctor.sh

# The SAM CLI beside what everything needs; 340 MB that the demo does without.
sam-cli:
	@sh infra/doctor.sh sam

build:
	cargo build --workspace --bins

demo: doctor build
	@$(SLIPWAY) local demo $(if $(filter-out 0,$(KEEP)),--keep)

# Everything is built first: the stories run the very binaries, made with the same features as the tests.
test: sam-cli
	cargo fmt --all --check
	cargo build --workspace --all-targets
	cargo clippy --workspace --all-targets -- -D warnings
	.slipway/venv/bin/cfn-lint template.yaml
	.slipway/venv/bin/python -m unittest discover infra/buildspecs
	@$(SLIPWAY) local engine -- cargo test --workspace

# The schemas of the two files, and the tables in docs/, made anew of the types; a test compares them.
reference:
	SLIPWAY_REWRITE=1 cargo test -p domain --lib checked_in

sam: sam-cli build
	@$(SLIPWAY) local engine -- cargo test --workspace --test sam

# The long form of one story of `make test`; what it prints comes on standard error.
chaos: doctor
	cargo build --workspace --all-targets
	SLIPWAY_CHAOS_RUNS=$(RUNS) SLIPWAY_CHAOS_SEED=$(SEED) cargo test --workspace --test it -- chaos::

up: doctor build
	@$(SLIPWAY) local up --port $(PORT)

down:
	@$(SLIPWAY) local down

# The functions as they are deployed, and the bench with them: what it plays of the cloud must not be the slow part.
BENCHED := webhook plan test build publish deploy verify notify sweep bench
bench: doctor sam-cli
	cargo build --release --workspace $(BENCHED:%=--bin slipway-%)
	@target/release/slipway-bench $(if $(ONLY),--only $(ONLY))
