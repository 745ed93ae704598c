# Everything a person does with this repository. `make help` lists it.

.DEFAULT_GOAL := help
SHELL := /bin/sh
ROOT := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
LOOP := cargo run --quiet --package loop-platform --bin loop --
export LOOP_DATA ?= $(ROOT).loop
export LOOP_CREDENTIALS ?= $(LOOP_DATA)/credentials.json

# Of `make bench-edge`: how often each peer has its turn, and for how long.
ROUNDS ?= 5
SECONDS ?= 2

.PHONY: help up demo test lint gen check reset timings audit bench-edge conformance-json fuzz schemathesis

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(ROOT)Makefile

up: ## Run the whole platform in one process; Ctrl-C stops it
	@cd $(ROOT) && deploy/dev/install.sh run
	@cd $(ROOT) && cargo build --package loop-platform
	@cd $(ROOT) && exec $(LOOP) up

demo: ## Play a partner app's story against the running platform
	@cd $(ROOT) && $(LOOP) demo partner-gym

test: ## Run every test, with the engines it needs
	@cd $(ROOT) && deploy/dev/install.sh test
	@cd $(ROOT) && cargo xtask test

lint: ## Check format, lints, contracts, licences and what is generated
	@cd $(ROOT) && deploy/dev/install.sh lint
	@cd $(ROOT) && cargo xtask lint

conformance-json: ## Put Google's protobuf JSON conformance suite to the transcoder
	@cd $(ROOT) && deploy/dev/install.sh conformance
	@cd $(ROOT) && cargo run --quiet --package json-conformance

fuzz: ## Fuzz the transcoder, FUZZ_SECONDS (60) for each target
	@cd $(ROOT) && deploy/dev/install.sh fuzz
	@cd $(ROOT) && deploy/dev/fuzz.sh

schemathesis: ## Put the running edge to its OpenAPI document
	@cd $(ROOT) && deploy/dev/install.sh schemathesis
	@cd $(ROOT) && deploy/dev/schemathesis.sh

gen: ## Write everything that is derived from proto/
	@cd $(ROOT) && cargo xtask gen

check: ## Fail if something derived is stale or a contract is incomplete
	@cd $(ROOT) && cargo xtask gen --check && $(LOOP) check

audit: ## Verify the sealed audit logs of the platform that `make up` made
	@cd $(ROOT) && $(LOOP) audit verify

timings: ## Measure the builds that docs/timings.md speaks of
	@cd $(ROOT) && cargo xtask timings

bench-edge: ## Measure the edge beside Envoy and a bare hop
	@cd $(ROOT) && deploy/dev/install.sh bench
	@cd $(ROOT) && cargo run --quiet --release --package bench -- run --rounds $(ROUNDS) --seconds $(SECONDS) --report docs/benchmarks/edge.md

reset: ## Forget the data of `make up`
	@rm -rf "$(LOOP_DATA)" && echo "forgot $(LOOP_DATA)"
