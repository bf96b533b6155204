# Lint: layout of the C files, two static analysers over the library and the command, the order of the rooms of lib/, names,
# manual pages, shell. The versions that the sources are clean with are in scripts/deps.sh.

CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy
CPPCHECK ?= cppcheck

C_FILES = $(wildcard $(addsuffix /*.[ch],lib lib/* lib/*/* nubrun nubrun/* guests guests/linux guests/rt test/unit test/fuzz test/guests test/linux test/linux/* test/attacks/* \
	test/faults test/tools test/bench scripts/emulate))
TIDY_STAMPS = $(patsubst %,$(B)/lint/%.tidy,$(wildcard lib/*/*.c lib/*/*/*.c nubrun/*.c nubrun/*/*.c))
SHELL_FILES = .ci/run test/engines/compare test/suites/pysuite test/suites/gosuite $(shell grep -lsE '^(.!.*sh|. shellcheck shell=.*)$$' scripts/*)
BATS_FILES = $(wildcard test/cli/*.bash test/cli/*.bats)

## lint: clang-format, clang-tidy, cppcheck, mandoc and shellcheck over everything they read; scripts/check-rooms, -names, -dialect, -kinds
lint: lint-format lint-tidy lint-cppcheck lint-rooms lint-names lint-dialect lint-kinds lint-man lint-shell

lint-format:
	$(Q)$(CLANG_FORMAT) --dry-run -Werror $(C_FILES)

lint-tidy: $(TIDY_STAMPS)

$(B)/lint/%.tidy: % $(wildcard lib/*.h lib/*/*.h lib/*/*/*.h nubrun/*.h nubrun/*/*.h) .clang-tidy test/lint.mk
	$(call say,TIDY,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG_TIDY) --quiet --warnings-as-errors='*' $< -- $(ALL_CFLAGS) -Wno-unknown-warning-option 2>$@.err || \
		{ cat $@.err; exit 1; }
	$(Q)mv $@.err $@

# Of leaks it knows no better than clang-tidy (see .clang-tidy).
lint-cppcheck:
	$(Q)mkdir -p $(B)/lint/cppcheck
	$(Q)$(CPPCHECK) --quiet --std=c11 --language=c --platform=unix64 --enable=warning,performance,portability \
		--inline-suppr --suppress=missingIncludeSystem --suppress=memleak --error-exitcode=1 \
		--cppcheck-build-dir=$(B)/lint/cppcheck -D_GNU_SOURCE -D__x86_64__ -Ilib -Inubrun lib nubrun

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

.PHONY: lint lint-format lint-tidy lint-cppcheck lint-rooms lint-names lint-dialect lint-kinds lint-man lint-shell
