# Every target does its own set-up. CI=true makes it ask nothing.
NODE := node_modules/.bin/node
TEST := $(NODE) --disable-warning=ExperimentalWarning --test

.PHONY: help demo test check unit interop boots bench format clean run-setup test-setup bench-setup

help:
	@echo "make demo     boot two virtual machines without a disk, and watch"
	@echo "make test     everything below"
	@echo "make check    format, lint, types"
	@echo "make unit     tests beside the code"
	@echo "make interop  real clients in network namespaces"
	@echo "make boots    whole boots of virtual machines"
	@echo "make bench    speed, side by side with peers"

demo: run-setup
	bin/reveille demo

test: check unit interop boots

check: test-setup
	node_modules/.bin/biome check .
	node_modules/.bin/tsc --noEmit

unit: test-setup
	$(TEST) 'src/**/*.test.ts'

interop: test-setup
	test/isolated $(TEST) --test-concurrency=1 'test/interop/*.test.ts'

boots: test-setup
	$(TEST) --test-concurrency=1 'test/lab/*.test.ts'

bench: bench-setup
	test/isolated $(NODE) bench/dhcp.ts
	test/isolated $(NODE) bench/tftp.ts
	test/isolated $(NODE) bench/http.ts
	$(NODE) bench/image.ts

format: run-setup
	node_modules/.bin/biome check --write .

run-setup:
	@setup/system run
	@setup/npm

test-setup:
	@setup/system test
	@setup/npm

bench-setup:
	@setup/system bench
	@setup/npm

clean:
	rm -rf node_modules
