# Muster: build, checks, tests. `make help` lists the targets.

CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
comma := ,
BUILD := build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))$(if $(OPTIMISATIONS),-optimisations)
PREFIX ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0
# V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),:,printf '  %-5s %s\n' $(1) $(2))

PACKAGES := libpq rdkafka hiredis libcjson libcrypto
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
HARDENING := -fstack-protector-strong -fstack-clash-protection -fPIE -D_FORTIFY_SOURCE=2
OPTIMISE := -O2
ifdef SANITIZE
HARDENING := -fPIE -fno-sanitize-recover=all -fsanitize=$(SANITIZE) -fno-omit-frame-pointer
OPTIMISE := -O1
endif

# pkg-config runs only when something is compiled, so that install-deps can bring it first.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PACKAGES)))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $$(shell pkg-config --libs $(PACKAGES)))$(PKG_LIBS)
CHECK_CFLAGS = $(eval CHECK_CFLAGS := $$(shell pkg-config --cflags check))$(CHECK_CFLAGS)
CHECK_LIBS = $(eval CHECK_LIBS := $$(shell pkg-config --libs check))$(CHECK_LIBS)
CFLAGS_ALL = -std=c17 -D_GNU_SOURCE -DMUSTER_VERSION='"$(VERSION)"' -g $(OPTIMISE) $(WARNINGS) $(HARDENING) -I. \
             -I$(BUILD)/generated $(if $(OPTIMISATIONS),-DMUSTER_OPTIMISATIONS) $(PKG_CFLAGS) $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)
LIBS = $(PKG_LIBS) -lm -lpthread

COMMON_SOURCES := $(wildcard common/base/*.c common/domain/*.c common/io/*.c)
SQL_SOURCES := $(sort $(wildcard common/io/sql/*.sql schemas/store/*.sql))
PROGRAMS := muster muster-batch muster-stream muster-reconcile
muster_SOURCES := $(wildcard common/cli/*.c)
muster-batch_SOURCES := $(wildcard batch/*.c)
muster-stream_SOURCES := $(wildcard stream/*.c)
muster-reconcile_SOURCES := $(wildcard reconcile/*.c)
muster-bank_SOURCES := $(wildcard deploy/demo/*.c)
BENCHES := $(patsubst tests/bench/%.c,%,$(wildcard tests/bench/*.c))
# Small programs that the scripts on real servers need.
TEST_TOOLS := $(patsubst tests/integration/%.c,$(BUILD)/%,$(wildcard tests/integration/*.c))
ORACLE_SOURCES := $(wildcard tests/oracle/*.c)
EQUIVALENCE_SOURCES := $(wildcard tests/equivalence/*.c) $(filter-out %/main.c,$(ORACLE_SOURCES))
TEST_SOURCES := $(sort $(wildcard tests/unit/*.c))
TEST_SUITES := $(patsubst tests/unit/test_%.c,%,$(sort $(wildcard tests/unit/test_*.c)))

LIBRARY := $(BUILD)/libmuster.a
BUILT_PROGRAMS := $(foreach p,$(PROGRAMS),$(if $($(p)_SOURCES),$(BUILD)/$(p)))
object = $(patsubst %.c,$(BUILD)/%.o,$(1))

.PHONY: all
all: $(LIBRARY) $(BUILT_PROGRAMS) $(if $(muster-bank_SOURCES),$(BUILD)/muster-bank)

.PHONY: help
help:
	@printf '%s\n' \
	    'make                  build the programs into build/' \
	    'make demo             the main job, shown on a local stack; make demo-down cleans up' \
	    'make test             unit tests (also under sanitizers), conformance, integration, kills' \
	    'make test-long        the same with more kills and the full data sets' \
	    'make unit             unit tests alone; SUITE=name runs one of them' \
	    'make fuzz             each fuzz target for 10 minutes (FUZZ_SECONDS=); needs clang, which it installs' \
	    'make check            layers, style, format' \
	    'make format           reformat all C files' \
	    'make reference        write schemas/segment-language.md anew' \
	    'make bench            speed as a ratio to a floor measured in the same run; rules against DuckDB' \
	    'make install          programs, sample configuration, schemas (DESTDIR=, PREFIX=)' \
	    'make clean            remove everything that was built' \
	    'SANITIZE=address,undefined builds into a folder of its own, OPTIMISATIONS=1 into another, where each can be' \
	    'switched off; V=1 shows the commands'

# --- programs

$(LIBRARY): $(call object,$(COMMON_SOURCES)) $(BUILD)/generated/sql_text.o
	@$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

define program_rule
$(BUILD)/$(1): $(call object,$($(1)_SOURCES)) $(LIBRARY)
	@$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$^ $$(LIBS)
endef
$(foreach p,$(PROGRAMS) muster-bank,$(eval $(call program_rule,$(p))))

$(BUILD)/%.o: %.c Makefile | $(BUILD)/generated/sql_text.h
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# SQL files become C strings: sql_NAME for common/io/sql/NAME.sql, and a table of the migrations. The list of files is
# kept beside the result, so that a file taken away counts as a change.
$(BUILD)/generated/sql_text.list: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' $(SQL_SOURCES) | cmp -s - $@ || printf '%s\n' $(SQL_SOURCES) >$@

$(BUILD)/generated/sql_text.h $(BUILD)/generated/sql_text.c &: $(SQL_SOURCES) $(BUILD)/generated/sql_text.list deploy/embed-sql
	@$(call say,SQL,$(@D)/sql_text.c)
	$(Q)deploy/embed-sql $(BUILD)/generated/sql_text $(SQL_SOURCES)

$(BUILD)/generated/sql_text.o: $(BUILD)/generated/sql_text.c
	$(Q)$(CC) $(CFLAGS_ALL) -Wno-overlength-strings -c -o $@ $<

# --- checks

.PHONY: check
check: deps
	deploy/check-layers
	deploy/check-style
	deploy/check-format

.PHONY: format
format:
	deploy/check-format --fix

# The reference of the segment language, from the parser's tables; a unit test compares it.
.PHONY: reference
reference: $(BUILD)/muster
	$(BUILD)/muster segments operators --format markdown >$(BUILD)/segment-language.md
	mv $(BUILD)/segment-language.md schemas/segment-language.md

# --- tests

# The suites are found by the names of their files: tests/unit/test_NAME.c defines NAME_suite().
$(BUILD)/generated/suites.c: FORCE
	@mkdir -p $(@D)
	@deploy/list-suites $(TEST_SUITES) | cmp -s - $@ || deploy/list-suites $(TEST_SUITES) >$@

$(BUILD)/generated/suites.o: $(BUILD)/generated/suites.c tests/unit/unit.h
	$(Q)$(CC) $(CFLAGS_ALL) $(CHECK_CFLAGS) -c -o $@ $<

$(call object,$(TEST_SOURCES)): CFLAGS_ALL += $(CHECK_CFLAGS) -Wno-overlength-strings

$(BUILD)/unit-tests: $(call object,$(TEST_SOURCES)) $(BUILD)/generated/suites.o $(LIBRARY)
	@$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(CHECK_LIBS) $(LIBS)

$(BUILD)/oracle: $(call object,$(ORACLE_SOURCES)) $(LIBRARY)
	@$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(BUILD)/equivalence: $(call object,$(EQUIVALENCE_SOURCES)) $(LIBRARY)
	@$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(BUILD)/conformance-orders: $(call object,tests/conformance/orders.c $(wildcard common/cli/eval_*.c common/cli/explain_*.c common/cli/segment_choice.c) \
    $(filter-out %/main.c,$(ORACLE_SOURCES))) $(LIBRARY)
	@$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

.PHONY: unit
unit: $(BUILD)/unit-tests
	$(BUILD)/unit-tests $(SUITE)

# What the tests of one build folder need.
.PHONY: test-programs
test-programs: all $(BUILD)/unit-tests $(BUILD)/oracle $(BUILD)/conformance-orders $(TEST_TOOLS)

.PHONY: test test-long
test: deps
	$(Q)$(MAKE) --no-print-directory test-programs
	$(Q)$(MAKE) --no-print-directory SANITIZE=address,undefined build-address-undefined/unit-tests \
	    build-address-undefined/fuzz-replay build-address-undefined/oracle
	$(Q)$(MAKE) --no-print-directory OPTIMISATIONS=1 build-optimisations/equivalence
	tests/run-all $(BUILD)

test-long: deps
	$(Q)$(MAKE) --no-print-directory test-programs
	$(Q)$(MAKE) --no-print-directory SANITIZE=address,undefined build-address-undefined/unit-tests \
	    build-address-undefined/fuzz-replay build-address-undefined/oracle
	$(Q)$(MAKE) --no-print-directory OPTIMISATIONS=1 build-optimisations/equivalence
	tests/run-all --long $(BUILD)

.PHONY: bench
bench: deps
	$(Q)$(MAKE) --no-print-directory bench-programs
	tests/bench/run $(BUILD)
	tests/bench/rules $(BUILD)

.PHONY: bench-programs
bench-programs: all $(addprefix $(BUILD)/,$(BENCHES))

$(addprefix $(BUILD)/,$(BENCHES)): $(BUILD)/%: tests/bench/%.c $(LIBRARY)
	@$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(TEST_TOOLS): $(BUILD)/%: tests/integration/%.c
	@mkdir -p $(@D)
	@$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< $(LIBS)

# --- fuzzing

# The pure layers alone: nothing a server says is fuzzed here. fuzz-replay runs a corpus without libFuzzer.
FUZZ_COMMON := $(call object,$(wildcard common/base/*.c common/domain/*.c))
FUZZ_TARGETS := $(call object,$(filter-out %/libfuzzer.c %/replay.c,$(wildcard tests/fuzz/*.c)))
FUZZ_CLANG := clang-14
FUZZ_SANITIZE := fuzzer-no-link,address,undefined

$(BUILD)/fuzz-replay: $(FUZZ_TARGETS) $(BUILD)/tests/fuzz/replay.o $(FUZZ_COMMON)
	@$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(BUILD)/fuzz-libfuzzer: $(FUZZ_TARGETS) $(BUILD)/tests/fuzz/libfuzzer.o $(FUZZ_COMMON)
	@$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $^ $(LIBS)

.PHONY: fuzz
fuzz: deps
	deploy/install-deps.sh --fuzz
	$(Q)$(MAKE) --no-print-directory BUILD=build/fuzz CC=$(FUZZ_CLANG) SANITIZE=$(FUZZ_SANITIZE) build/fuzz/fuzz-libfuzzer
	tests/fuzz/run --fuzz build/fuzz

# --- demo

.PHONY: demo demo-down
demo: deps
	$(Q)$(MAKE) --no-print-directory all
	deploy/demo/run $(BUILD)

demo-down:
	deploy/demo/run --down

# --- installation

.PHONY: deps
deps:
	@deploy/install-deps.sh

.PHONY: install
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/muster/schemas $(DESTDIR)$(PREFIX)/share/doc/muster
	install -m 755 $(BUILT_PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	$(BUILD)/muster --sample-config >$(BUILD)/muster.conf.sample
	install -m 644 $(BUILD)/muster.conf.sample $(DESTDIR)$(PREFIX)/share/muster/muster.conf.sample
	cd schemas && find . -type f -exec install -D -m 644 {} $(abspath $(DESTDIR)$(PREFIX))/share/muster/schemas/{} \;
	install -m 644 $(wildcard README.md CHANGELOG.md) LICENSE $(DESTDIR)$(PREFIX)/share/doc/muster

.PHONY: clean
clean:
	rm -rf build build-*

.PHONY: FORCE
FORCE:

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
