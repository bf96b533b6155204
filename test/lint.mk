# Lint: layout of the C files, four static analysers over the library and the command, the order of the rooms of lib/, names,
# manual pages, shell. The versions that the sources are clean with are in scripts/deps.sh.

CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy
CPPCHECK ?= cppcheck
ANALYZER_CC ?= gcc
SCAN_CC ?= clang

C_FILES = $(wildcard $(addsuffix /*.[ch],lib lib/* lib/*/* nubrun nubrun/* guests guests/linux guests/rt test/unit test/fuzz test/guests test/linux test/linux/* test/attacks/* \
	test/faults test/tools test/bench scripts/emulate))
LINTED = $(wildcard lib/*/*.c lib/*/*/*.c nubrun/*.c nubrun/*/*.c)
TIDY_STAMPS = $(LINTED:%=$(B)/lint/%.tidy)
ANALYZER_OBJS = $(LINTED:%=$(B)/lint/%.analyzer.o)
SCAN_STAMPS = $(LINTED:%=$(B)/lint/%.scan)
SHELL_FILES = .ci/run test/bench/counts test/bench/check-counts test/engines/compare test/suites/pysuite test/suites/gosuite $(shell grep -lsE '^(.!.*sh|. shellcheck shell=.*)$$' scripts/*)
BATS_FILES = $(wildcard test/cli/*.bash test/cli/*.bats)

## lint: clang-format, clang-tidy, cppcheck, gcc's and clang's analyzers, mandoc and shellcheck over everything they read; scripts/check-rooms, -names, -dialect, -kinds
lint: lint-format lint-tidy lint-cppcheck lint-analyzer lint-scan lint-rooms lint-names lint-dialect lint-kinds lint-man lint-shell

lint-format:
	$(Q)$(CLANG_FORMAT) --dry-run -Werror $(C_FILES)

lint-tidy: $(TIDY_STAMPS)

$(B)/lint/%.tidy: % $(wildcard lib/*.h lib/*/*.h lib/*/*/*.h nubrun/*.h nubrun/*/*.h) .clang-tidy test/lint.mk
	$(call say,TIDY,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG_TIDY) --quiet --warnings-as-errors='*' $< -- $(ALL_CFLAGS) -Wno-unknown-warning-option 2>$@.err || \
		{ cat $@.err; exit 1; }
	$(Q)mv $@.err $@

# Of leaks it knows no better than clang's analyzer below.
lint-cppcheck:
	$(Q)mkdir -p $(B)/lint/cppcheck
	$(Q)$(CPPCHECK) --quiet --std=c11 --language=c --platform=unix64 --enable=warning,performance,portability \
		--inline-suppr --suppress=missingIncludeSystem --suppress=memleak --error-exitcode=1 \
		--cppcheck-build-dir=$(B)/lint/cppcheck -D_GNU_SOURCE -D__x86_64__ -Ilib -Inubrun lib nubrun

# gcc -fanalyzer. It follows calls itself, and takes inlined ones together with cleanup attributes for reads before writes; of
# leaks it knows no better than the others: what a struct's owner frees, it says, is lost.
lint-analyzer: $(ANALYZER_OBJS)

$(B)/lint/%.analyzer.o: % test/lint.mk
	$(call say,ANALYZE,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(ANALYZER_CC) $(ALL_CFLAGS) -O1 -fno-inline -Werror -fanalyzer -Wno-analyzer-malloc-leak -MMD -MP -c -o $@ $<

# Clang's static analyzer: what scan-build takes by default, and of what it takes on demand that which finds mistakes. Left out
# are unix.Malloc and DeadStores, since they know nothing of cleanup attributes: what these free is no leak, and what they read
# is not dead (LeakSanitizer looks for real leaks); of the alpha ones ArrayBoundV2 and ReturnPtrRange, which believe that every
# count may be negative, PointerSub, to which symbols of one section are of several, UnreachableCode, which reports what sizes
# of types decide, MallocOverflow, which knows no caps, and the taint analysis, of which clang 14 dies.
SCAN_MORE = security valist nullability optin.portability.UnixAPI alpha.core.BoolAssignment alpha.core.CastSize \
	alpha.core.IdenticalExpr alpha.core.SizeofPtr alpha.core.StackAddressAsyncEscape alpha.core.TestAfterDivZero \
	alpha.unix.BlockInCriticalSection alpha.unix.Chroot alpha.unix.PthreadLock alpha.unix.SimpleStream alpha.unix.Stream \
	alpha.unix.cstring.BufferOverlap alpha.unix.cstring.NotNullTerminated alpha.unix.cstring.OutOfBounds
SCAN_LESS = unix.Malloc deadcode.DeadStores security.insecureAPI.DeprecatedOrUnsafeBufferHandling security.insecureAPI.strcpy
SCAN_FLAGS = --analyze --analyzer-output text -Xclang -analyzer-werror $(SCAN_MORE:%=-Xclang -analyzer-checker=%) \
	$(SCAN_LESS:%=-Xclang -analyzer-disable-checker=%)
lint-scan: $(SCAN_STAMPS)

$(B)/lint/%.scan: % test/lint.mk
	$(call say,SCAN,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(SCAN_CC) $(SCAN_FLAGS) $(ALL_CFLAGS) -MMD -MP -MF $@.d -MT $@ $<
	$(Q)touch $@

lint-rooms: $(LIB_OBJS)
	$(Q)scripts/check-rooms $(B)/obj/lib

lint-names: $(LIB_OBJS) $(CMD_OBJS) $(RT_OBJS)
	$(Q)scripts/check-names $(B)

lint-dialect:
	$(Q)scripts/check-dialect $(C_FILES)

lint-kinds:
	$(Q)scripts/check-kinds

lint-man:
	$(Q)mandoc -T lint -W warning $(wildcard man/*.[1-9])

# Every bats test is a subshell of its own, under set -e, and quotes code for other shells: five warnings mean nothing there.
lint-shell:
	$(Q)shellcheck -x $(SHELL_FILES)
	$(Q)shellcheck -x -e SC2016,SC2030,SC2031,SC2154,SC2164 $(BATS_FILES)

.PHONY: lint lint-format lint-tidy lint-cppcheck lint-analyzer lint-scan lint-rooms lint-names lint-dialect lint-kinds lint-man lint-shell
-include $(ANALYZER_OBJS:.o=.d) $(SCAN_STAMPS:%=%.d)
