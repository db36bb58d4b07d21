# Muster: build, checks, tests. `make help` lists the targets.

CC ?= gcc
BUILD := build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
comma := ,
PREFIX ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

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
CFLAGS_ALL = -std=c17 -D_GNU_SOURCE -DMUSTER_VERSION='"$(VERSION)"' -g $(OPTIMISE) $(WARNINGS) $(HARDENING) -I. -I$(BUILD)/generated \
             $(PKG_CFLAGS) $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)
LIBS = $(PKG_LIBS) -lm -lpthread

COMMON_SOURCES := $(wildcard common/base/*.c common/domain/*.c common/io/*.c)
SQL_SOURCES := $(wildcard common/io/sql/*.sql schemas/store/*.sql)
PROGRAMS := muster muster-batch muster-stream muster-reconcile
muster_SOURCES := $(wildcard common/cli/*.c)
muster-batch_SOURCES := $(wildcard batch/*.c)
muster-stream_SOURCES := $(wildcard stream/*.c)
muster-reconcile_SOURCES := $(wildcard reconcile/*.c)
TEST_SOURCES := $(wildcard tests/unit/*.c)

LIBRARY := $(BUILD)/libmuster.a
SQL_OBJECTS := $(BUILD)/generated/sql_text.o
object = $(patsubst %.c,$(BUILD)/%.o,$(1))

.PHONY: all
all: $(LIBRARY) $(foreach p,$(PROGRAMS),$(if $($(p)_SOURCES),$(BUILD)/$(p)))

$(LIBRARY): $(call object,$(COMMON_SOURCES)) $(SQL_OBJECTS)
	@rm -f $@
	$(AR) rcs $@ $^

define program_rule
$(BUILD)/$(1): $(call object,$($(1)_SOURCES)) $(LIBRARY)
	$(CC) $$(LDFLAGS_ALL) -o $$@ $$^ $$(LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

$(BUILD)/%.o: %.c | $(BUILD)/generated/sql_text.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# SQL files become C strings: sql_NAME for common/io/sql/NAME.sql, and a table of the migrations.
$(BUILD)/generated/sql_text.h $(BUILD)/generated/sql_text.c &: $(SQL_SOURCES) deploy/embed-sql
	@mkdir -p $(BUILD)/generated
	deploy/embed-sql $(BUILD)/generated/sql_text $(sort $(SQL_SOURCES))

$(SQL_OBJECTS): $(BUILD)/generated/sql_text.c
	$(CC) $(CFLAGS_ALL) -Wno-overlength-strings -c -o $@ $<

$(BUILD)/unit-tests: $(call object,$(TEST_SOURCES)) $(LIBRARY)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $$(pkg-config --libs check) $(LIBS)

.PHONY: clean
clean:
	rm -rf build build-*

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
