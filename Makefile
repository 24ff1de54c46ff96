# make demo      two diskless virtual machines boot into their roles, here and now
# make demo-cloud  two of them become compute nodes of a real OpenStack (as root)
# make test      everything: checks, unit tests, interop with real clients, whole boots
# make check     Biome, tsc, shellcheck
# make unit      the tests beside the code
# make interop   real DHCP, TFTP and HTTP clients in network namespaces
# make boots     virtual racks: whole boots with real firmware
# make test-cloud  renewal under running instances, Open vSwitch, small machines, why: beside a real OpenStack (as root; not in `make test`)
# make fuzz      DHCP, TFTP and HTTP fuzzers against the running server, real clients beside it (SECONDS=600, SEED, ONLY, REPLAY)
# make chaos     kill -9, full, read-only and broken state, EMFILE, clock steps, lost interfaces under load (ROUNDS=200, SEED, KINDS)
# make bench     speed beside Kea, atftpd, dnsmasq, tftpd-hpa, nginx and mmdebstrap; writes bench/RESULTS.md (ONLY=row,row for some)
# make bench-quick  fewer and shorter rounds, in 3 minutes
# make clean     forget installed modules, images and downloads
# Each does its own set-up; CI=true answers its questions with yes.

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup-demo setup-cloud setup-test setup-bench demo demo-cloud test test-cloud check unit interop boots fuzz chaos bench bench-quick clean

node := node_modules/.bin/node --disable-warning=ExperimentalWarning
# A client that hangs fails its test instead of stalling the run.
tests := $(node) --test --test-timeout=900000
shell_programs = $$(find .ci bin setup src test bench examples overlays packaging -type f -exec awk 'FNR == 1 && /^.!\/bin\/(ba)?sh/ { print FILENAME } { nextfile }' {} + 2>/dev/null)

help:
	@sed -n 's/^# //p' Makefile

setup-demo setup-cloud setup-test setup-bench: setup-%:
	@setup/system $*
	@setup/modules
# The demos run without the addon too.
	@setup/native || case $* in demo | cloud) ;; *) false ;; esac

demo: setup-demo
	@bin/reveille demo

demo-cloud: setup-demo setup-cloud
	@bin/reveille demo-cloud

check: setup-test
	node_modules/.bin/biome check .
	node_modules/.bin/tsc --noEmit
	shellcheck $(shell_programs)

# Node.js leaves one processor unused when it is not asked for a number.
unit: setup-test
	$(tests) --test-concurrency="$$(nproc)" 'src/**/*.test.ts'

# They wait more than they compute: five files run at a time, each in namespaces of its own.
interop: setup-test
	$(node) test/suite.ts interop 5

# Racks have namespaces of their own, and an emulated machine waits for the network, timers and disks half of its time.
boots: setup-test
	$(node) test/suite.ts lab 2

# As root, and not part of `test`: it takes three quarters of an hour. docs/test-cloud.md keeps its last run.
test-cloud: setup-test setup-cloud
	$(node) --test --test-timeout=3600000 --test-concurrency=1 'test/cloud/*.test.ts'

# Longer than what `test` has of them; docs/hardening.md keeps the last figures.
fuzz chaos: setup-test
	REVEILLE_CACHE="$$(setup/cache)" SECONDS="$(or $(SECONDS),600)" test/isolated $(node) test/$@/main.ts

# The quick ones first.
test: check unit interop boots

bench bench-quick: setup-bench
	@setup/atftpd
	@ONLY="$(ONLY)" BENCH_QUICK=$(if $(filter bench-quick,$@),1) $(node) bench/run.ts

clean:
	cd "$$(setup/cache)" && rm -rf npm roots debs demo lab cloud demo-cloud fuzz chaos
	rm -rf node_modules native/build
