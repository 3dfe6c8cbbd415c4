# The commands people type. Each installs what it needs on Debian and Ubuntu; see scripts/install.

CARGO ?= cargo
FACTORY := examples/web

.PHONY: demo os test lint bench compat

# Builds a web server's image from source, releases it, serves it, pulls it, runs it.
demo:
	@scripts/demo $(FACTORY)

# Builds os/: a C library and what programs commonly link with, hardened. An hour on two processors.
os:
	@scripts/install demo
	$(CARGO) build --release --locked --quiet --package boltworks-cli
	$${CARGO_TARGET_DIR:-target}/release/boltworks --factory os/boltworks.yaml up

# Everything CI runs.
test:
	@scripts/install test
	$(MAKE) lint
	$(CARGO) test --workspace --locked

# Formatting, lints, documents, structure.
lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet
	$(CARGO) xtask tidy

# Times and memory, for docs/performance.md; beside those of melange, apko and apk, if they are on PATH.
# bench/catalogue/run and bench/large/run are not among them: they take a quarter of an hour, and 12 GB each.
bench:
	@scripts/install demo
	@bench/run
	@bench/emission/run $$(command -v melange)
	@BOLTWORKS=$${BOLTWORKS:-$${CARGO_TARGET_DIR:-target}/release/boltworks} bench/index --wishes 8
	@bench/assembly/run "$$(command -v apko)"
	@! command -v melange >/dev/null || bench/compat/packages --only-times "$$(command -v melange)"

# Against peers' programs, put into a folder by hand: make compat PEERS=DIR
compat:
	@scripts/compat "$(PEERS)"
