# nubrun: build, test, install. `make help` lists the targets, README.md says what they are for.

# Where things go. B may be another folder for another kind of build (see check-sanitize).
B ?= build
PREFIX ?= /usr/local
DESTDIR ?=
BINDIR = $(PREFIX)/bin
LIBDIR = $(PREFIX)/lib
INCLUDEDIR = $(PREFIX)/include
MANDIR = $(PREFIX)/share/man
COMPLETIONDIR = $(PREFIX)/share/bash-completion/completions

# Switches: V=1 shows commands, WERROR=1 makes warnings errors, STATIC=0 links nubrun dynamically, SANITIZE=address,undefined
# builds nubrun and the unit tests (never the guests) with these sanitizers, JSON=cjson takes cJSON instead of json-c. What was
# built with other switches stays as it is: give each kind of build a B of its own, or make clean.
V ?= 0
WERROR ?= 0
SANITIZE ?=
JSON ?= json-c
STATIC ?= $(if $(SANITIZE)$(filter cjson,$(JSON)),0,1)
CC = gcc
GUEST_CC ?= gcc
PKG_CONFIG ?= pkg-config

Q = $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)')

WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wvla -Wundef \
	-Wformat=2 -Wwrite-strings $(if $(filter 1,$(WERROR)),-Werror)
CFLAGS ?= -O2 -g
SANFLAGS = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
# gcc clears structs of some hundred bytes and copies pages with string instructions, which take longer to begin than the C
# library's functions take in all. Others don't know the option, the analyzers of `make lint` neither.
STRING_CALLS := $(if $(shell $(CC) -mstringop-strategy=libcall -E -x c /dev/null >/dev/null 2>&1 && echo yes),-mstringop-strategy=libcall)
# What scripts/check-hardening looks for. Intel's CET is left out: the static C library has none of it.
HARDENING = $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong -fstack-clash-protection -fPIE
LINK_HARDENED = $(if $(filter 1,$(STATIC)),-static-pie $(LINK_RELR),-pie) -Wl,-z,relro,-z,now,-z,noexecstack
# A static PIE relocates itself at each start. In this form the list is a fiftieth as long, and a start takes some 2 % less.
LINK_RELR := $(if $(shell ld --help | grep pack-relative-relocs),-z pack-relative-relocs)
# The same bytes from wherever the sources are. Not so guests, of which a debugger is to find the sources.
ANYWHERE = '-ffile-prefix-map=$(CURDIR)=.'

# What is built for each: the package that pkg-config knows, and the file of nubrun/json/ that knows its header.
JSON_PACKAGE_json-c = json-c
JSON_PACKAGE_cjson = libcjson
JSON_FILE_json-c = nubrun/json/json_c.c
JSON_FILE_cjson = nubrun/json/cjson.c
JSON_FILE := $(JSON_FILE_$(JSON))
$(if $(JSON_FILE),,$(error JSON is json-c or cjson, not '$(JSON)'))

PACKAGES = libelf libxxhash $(JSON_PACKAGE_$(JSON))
.DEFAULT_GOAL := all

# Only targets that compile against them ask for the packages.
ifneq ($(filter-out help clean uninstall emulate check check-sanitize coverage fuzz lint-format lint-dialect lint-kinds lint-man lint-shell,$(or $(MAKECMDGOALS),all)),)
need = $(if $(shell $(PKG_CONFIG) --exists $(1) && echo yes),,$(error $(1) is missing: $(2); scripts/quickstart installs it))
$(call need,libelf,nubrun reads guests with it (Debian: libelf-dev))
$(call need,libxxhash,snapshots are sealed with it (Debian: libxxhash-dev))
$(call need,$(JSON_PACKAGE_$(JSON)),the status is written with it (Debian: lib$(JSON)-dev))
DEP_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PACKAGES))
DEP_LIBS := $(shell $(PKG_CONFIG) --libs $(if $(filter 1,$(STATIC)),--static) $(PACKAGES))
endif

# GNU C knows `linux` as a macro, which is a name like any other here.
ALL_CFLAGS = -std=gnu17 -Ulinux -D_GNU_SOURCE -Ilib -Inubrun $(WARNINGS) $(CFLAGS) $(ANYWHERE) $(HARDENING) $(SANFLAGS) $(DEP_CFLAGS)
LINK_STATIC = $(if $(filter 1,$(STATIC)),-static)

# Code that the start of a guest seldom runs, and its constants, go behind the rest (nubrun/layout.lds.in): the kernel maps a
# file's pages in rounds of 64 KiB, so that each start pays in page faults and in memory for what lies between what it needs.
SELDOM_LIB = $(notdir $(wildcard $(patsubst %,lib/%/*.c,coredump gdb personality/linux unwind)))
SELDOM = $(patsubst %,*libnub.a:%.o,$(SELDOM_LIB)) $(patsubst %,*%.o,$(wildcard nubrun/look/*.c nubrun/picture/*.c))
LAYOUT = $(B)/obj/layout.lds

LIB_OBJS = $(patsubst %,$(B)/obj/%.o,$(wildcard lib/*/*.c lib/*/*/*.c lib/*/*/*.S))
CMD_SRCS = $(filter-out nubrun/json/json_c.c nubrun/json/cjson.c,$(wildcard nubrun/*.c nubrun/*/*.c)) $(JSON_FILE)
CMD_OBJS = $(patsubst %,$(B)/obj/%.o,$(CMD_SRCS))

## all: the command, the library, the guest runtime, the sample guests (the default)
all: $(B)/nubrun $(B)/libnub.a guests $(B)/nubrun.bash

$(B)/obj/%.c.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(STRING_CALLS) $(EXTRA_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/obj/lib/%.S.o: lib/%.S Makefile
	$(call say,AS,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ANYWHERE) -Ilib -DNUB_VDSO='"$(VDSO).so"' -MMD -MP -c -o $@ $<

# The vdso of Linux guests is a shared object of its own, which the library holds as bytes.
VDSO = $(B)/obj/lib/personality/linux/vdso/vdso
$(VDSO).c.o: lib/personality/linux/vdso/vdso.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_CC) -std=gnu17 -Ilib $(WARNINGS) -O2 -fPIC -fvisibility=hidden -ffreestanding -fno-stack-protector \
		-fcf-protection=none -fasynchronous-unwind-tables -mno-sse -MMD -MP -c -o $@ $<

$(VDSO).so: $(VDSO).c.o lib/personality/linux/vdso/vdso.lds
	$(Q)$(GUEST_CC) -shared -nostdlib -Wl,-T,lib/personality/linux/vdso/vdso.lds,-soname=linux-vdso.so.1,--hash-style=both \
		-Wl,--build-id=sha1,--eh-frame-hdr,-Bsymbolic,-z,max-page-size=4096,-z,noexecstack,--no-undefined -o $@ $<

$(B)/obj/lib/personality/linux/vdso_image.S.o: $(VDSO).so

$(B)/libnub.a: $(LIB_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(LAYOUT): nubrun/layout.lds.in Makefile
	$(Q)mkdir -p $(@D)
	$(Q)sed 's|@SELDOM_TEXT@|$(patsubst %,%(.text .text.*),$(SELDOM))|; s|@SELDOM_RODATA@|$(patsubst %,%(.rodata),$(SELDOM))|' $< >$@

$(B)/nubrun: $(CMD_OBJS) $(B)/libnub.a $(LAYOUT)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SANFLAGS) $(LINK_HARDENED) -Wl,-T,$(LAYOUT) $(LDFLAGS) -o $@ $(CMD_OBJS) $(B)/libnub.a $(DEP_LIBS)

$(B)/nubrun.bash: $(B)/nubrun
	$(call say,GEN,$@)
	$(Q)$< completion bash >$@.tmp && mv $@.tmp $@

include guests/guests.mk
include guests/linux/linux.mk
include test/bench/bench.mk
include test/test.mk
include test/lint.mk
include scripts/emulate/emulate.mk

## install: command, library, guest runtime, manual pages and completion, below DESTDIR and PREFIX
install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/pkgconfig \
		$(DESTDIR)$(LIBDIR)/nub $(DESTDIR)$(INCLUDEDIR)/nub-guest/abi $(DESTDIR)$(INCLUDEDIR)/nub/abi \
		$(DESTDIR)$(INCLUDEDIR)/nub/nub $(DESTDIR)$(COMPLETIONDIR) \
		$(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7
	install -m 755 $(B)/nubrun $(DESTDIR)$(BINDIR)/nubrun
	install -m 644 $(B)/nubrun.bash $(DESTDIR)$(COMPLETIONDIR)/nubrun
	install -m 644 man/*.1 $(DESTDIR)$(MANDIR)/man1
	install -m 644 man/*.5 $(DESTDIR)$(MANDIR)/man5
	install -m 644 man/*.7 $(DESTDIR)$(MANDIR)/man7
	install -m 644 $(B)/libnub.a $(DESTDIR)$(LIBDIR)
	install -m 644 lib/nub.h $(DESTDIR)$(INCLUDEDIR)/nub
	install -m 644 lib/nub/*.h $(DESTDIR)$(INCLUDEDIR)/nub/nub
	install -m 644 lib/abi/nub_abi.h $(DESTDIR)$(INCLUDEDIR)/nub/abi
	sed 's|@prefix@|$(PREFIX)|' lib/nub.pc.in >$(DESTDIR)$(LIBDIR)/pkgconfig/nub.pc
	install -m 644 $(B)/libnubguest.a guests/rt/nub.ld $(DESTDIR)$(LIBDIR)/nub
	install -m 644 lib/abi/nub_checkpoint.h $(DESTDIR)$(INCLUDEDIR)
	install -m 644 guests/rt/nub_guest.h $(DESTDIR)$(INCLUDEDIR)/nub-guest
	install -m 644 lib/abi/nub_abi.h $(DESTDIR)$(INCLUDEDIR)/nub-guest/abi
	sed 's|@prefix@|$(PREFIX)|' guests/rt/nub-guest.pc.in >$(DESTDIR)$(LIBDIR)/pkgconfig/nub-guest.pc

## uninstall: remove what install put there
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/nubrun $(DESTDIR)$(COMPLETIONDIR)/nubrun $(DESTDIR)$(LIBDIR)/libnub.a \
		$(DESTDIR)$(LIBDIR)/pkgconfig/nub.pc $(DESTDIR)$(LIBDIR)/pkgconfig/nub-guest.pc
	rm -f $(addprefix $(DESTDIR)$(MANDIR)/,$(patsubst man/%.1,man1/%.1,$(wildcard man/*.1)) $(patsubst man/%.5,man5/%.5,$(wildcard man/*.5)) $(patsubst man/%.7,man7/%.7,$(wildcard man/*.7)))
	rm -f $(DESTDIR)$(INCLUDEDIR)/nub_checkpoint.h
	rm -rf $(DESTDIR)$(LIBDIR)/nub $(DESTDIR)$(INCLUDEDIR)/nub $(DESTDIR)$(INCLUDEDIR)/nub-guest

## clean: remove what was built
clean:
	rm -rf $(B)

## help: this list
help:
	@sed -n 's/^## //p' Makefile guests/guests.mk guests/linux/linux.mk test/test.mk test/lint.mk test/bench/bench.mk

.PHONY: all install uninstall clean help

-include $(patsubst %.o,%.d,$(LIB_OBJS) $(CMD_OBJS))
