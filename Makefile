# make test is all that a newcomer needs; the rest is for those who work here.

GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOFUMPT  := mvdan.cc/gofumpt@v0.12.0
TOOLS    := $(CURDIR)/.cache/tools

.PHONY: build test setup unit race acceptance torture proof soak flood fuzz lint bench bench-rls bench-journal bench-durability fmt clean

build:
	./xcaddy.sh

# test sets up what the tests need, and runs them all.
test: setup
	go test ./...

# Where setup puts the real Envoy that tests run.
export WEIR_ENVOY ?= $(CURDIR)/.cache/envoy/bin/envoy

# setup installs what is missing where it may, and says what to install where
# it may not: node and python3 run the pages' own clients.
setup:
	./setup.sh

unit:
	go test $$(go list ./... | grep -v /acceptance)

acceptance: setup
	go test -count=1 ./acceptance

# torture kills the real Caddy KILLS times; make acceptance does so 300 times.
KILLS ?= 3000
torture: setup
	go test ./acceptance -run '^TestTorture' -count=1 -v -timeout 0 -kills $(KILLS)

# race runs core's tests, in their short form, under the race detector; without
# the long ones of one goroutine.
race:
	go test -race -short -skip '^(TestFloodOfEngine|TestJournalCutAnywhere|TestJournalWithAWrongByte)$$' ./core/...

# proof compares ten million random operations on the store in memory with the
# model, and checks that two thousand concurrent histories are linearizable. Of
# megabytes of heap the collector need not run all the time.
proof:
	GOGC=1000 go test ./core/memory -run '^Test(Operations|Histories)$$' -count=1 -v -operations 10000000 -histories 2000

# soak compares OPERATIONS, a billion: half an hour on two processors. It tells
# every ten seconds how many it has compared.
OPERATIONS ?= 1000000000
soak:
	GOGC=1000 go test ./core/memory -run '^TestOperations$$' -count=1 -v -timeout 0 -operations $(OPERATIONS) -progress

# flood sends five million made-up keys through the engine, and half a million to
# Caddy, FLOODRATE a second so that there is processor left: a store of a million
# cells keeps to its memory, a real subject's counters stay exact, and its p99 is
# at most three times that without a flood. Without a rate, and with fewer keys, both are
# part of make test.
FLOODRATE ?= 4000
flood:
	go test ./core/memory -run '^TestFloodOfEngine$$' -count=1 -v
	go test ./acceptance -run '^TestFlood$$' -count=1 -v -timeout 0 \
		-flood-keys 500000 -flood-cells 1000000 -flood-rate $(FLOODRATE)

# fuzz runs every fuzz target for FUZZTIME, and prints how often.
FUZZTIME ?= 30s
fuzz:
	./fuzz.sh $(FUZZTIME)

lint: $(TOOLS)/golangci-lint
	$(TOOLS)/golangci-lint run ./...

fmt: $(TOOLS)/gofumpt
	$(TOOLS)/gofumpt -l -w .

$(TOOLS)/golangci-lint:
	GOBIN=$(TOOLS) go install $(GOLANGCI)

$(TOOLS)/gofumpt:
	GOBIN=$(TOOLS) go install $(GOFUMPT)

# bench prints Weir beside its peers, as ratios of one run.
bench:
	cd bench && go run .

# bench-journal prints what keeping an operation costs, beside libraries that
# could; bench-durability the requests a second that Caddy decides, by how durable
# the counters are.
bench-journal:
	cd bench && go run ./journal

bench-durability:
	cd bench && go run ./durability

# bench-rls prints Weir as Envoy's Rate Limit Service beside a gRPC server that
# answers a constant. It needs h2load: apt-get install nghttp2-client.
bench-rls:
	cd bench && go run ./rls

clean:
	rm -rf bin .cache
