# Tests: test/unit/test_*.c (cmocka; test_sandbox*.c with KVM), test/cli/*.bats (what a user types), test/guests/*.c (guests
# that misbehave), test/attacks/ (what tries to get out), test/tools/*.c (what command tests need), test/fuzz/*.c (hostile
# bytes), test/bench/ (measurements), test/linux/*.c (programs for Linux), test/suites/ (tests of others).

UNIT_NAMES = $(patsubst test/unit/%.c,%,$(wildcard test/unit/test_*.c))
UNITS = $(addprefix $(B)/test/,$(UNIT_NAMES))
FUZZ_NAMES = $(patsubst test/fuzz/%.c,%,$(wildcard test/fuzz/fuzz_*.c))
FUZZERS = $(addprefix $(B)/test/,$(FUZZ_NAMES))
TOOLS = $(patsubst test/tools/%.c,$(B)/test/%,$(wildcard test/tools/*.c))
TEST_GUEST_NAMES = $(patsubst test/guests/%.c,%,$(wildcard test/guests/*.c))
TEST_GUESTS = $(patsubst %,$(B)/test/guests/%.elf,$(TEST_GUEST_NAMES))
CMOCKA_CFLAGS = $(shell $(PKG_CONFIG) --cflags cmocka)
CMOCKA_LIBS = $(shell $(PKG_CONFIG) --libs cmocka)

$(B)/test/test_%: test/unit/test_%.c $(B)/libnub.a $(wildcard test/unit/*.h)
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(CMOCKA_CFLAGS) -Itest/unit -MMD -MP -MF $@.d -o $@ $< $(OBJECTS) $(B)/libnub.a $(DEP_LIBS) $(CMOCKA_LIBS)

# It includes what it tests, but for the library behind it.
$(B)/test/test_cmd_json: $(B)/obj/$(JSON_FILE).o
$(B)/test/test_cmd_json: OBJECTS = $(B)/obj/$(JSON_FILE).o
$(B)/test/fuzz_json $(B)/libfuzzer/fuzz_json: $(B)/obj/$(JSON_FILE).o
$(B)/test/fuzz_json $(B)/libfuzzer/fuzz_json: OBJECTS = $(B)/obj/$(JSON_FILE).o

$(B)/test/fuzz_%: test/fuzz/fuzz_%.c $(wildcard test/fuzz/driver.c test/fuzz/*.h) $(B)/libnub.a
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -o $@ $< test/fuzz/driver.c $(OBJECTS) $(B)/libnub.a $(DEP_LIBS)

# The same with libFuzzer in the driver's place: built by `make fuzz`, in a folder of its own.
$(B)/libfuzzer/fuzz_%: test/fuzz/fuzz_%.c $(wildcard test/fuzz/*.h) $(B)/libnub.a
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -MMD -MP -MF $@.d -o $@ $< $(OBJECTS) $(B)/libnub.a $(DEP_LIBS)

$(TOOLS): $(B)/test/%: test/tools/%.c $(B)/libnub.a
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(B)/libnub.a $(DEP_LIBS)

$(B)/test/guests/%.elf: test/guests/%.c $(B)/libnubguest.a guests/rt/nub.ld
	$(call say,GUEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_CC) $(GUEST_FLAGS) $(GUEST_FLAGS_$*) -fno-pie -static -MMD -MP -MF $@.d -MT $@ $(GUEST_LINK) -o $@ $< $(B)/libnubguest.a

# Code at CPL 0 may be interpreted: see two-spaces.
GUEST_FLAGS_kernel-fails = -mgeneral-regs-only
GUEST_FLAGS_known-registers = -mavx -mfsgsbase

# wx has a segment that linkers warn of.
GUEST_FLAGS_wx = $(if $(shell ld --help | grep no-warn-rwx-segments),-Wl$(comma)--no-warn-rwx-segments)
comma = ,
# leak is entered by code of its own; leak-kernel runs at CPL 0, where some hosts know general registers only.
GUEST_FLAGS_leak = -Wl,--wrap=rt_dispatch
GUEST_FLAGS_leak-kernel = -mgeneral-regs-only

# Ordinary programs, which also run without nubrun; static, and as the compiler makes them.
LINUX_PROGRAMS = $(patsubst test/linux/%.c,$(B)/test/linux/%,$(wildcard test/linux/*.c))
$(LINUX_PROGRAMS): $(B)/test/linux/%: test/linux/%.c
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LINUX_FLAGS) -static -MMD -MP -MF $@.d -o $@ $<
	$(Q)$(CC) $(LINUX_FLAGS) -o $@.dynamic $<

LINUX_FLAGS = -std=gnu17 -O2 -g -Wall -Wextra -Ilib/abi -pthread
# Wherever linkers bind at once unless they are told otherwise.
$(B)/test/linux/lazy: LINUX_FLAGS += -Wl,-z,lazy
# What gdb shows of it goes line by line.
$(B)/test/linux/debugged $(B)/test/linux/debugged.pie: LINUX_FLAGS += -O0
$(B)/test/linux/debugged.pie: test/linux/debugged.c
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LINUX_FLAGS) -static-pie -o $@ $<

$(B)/test/linux/calls: $(wildcard test/linux/calls/*.h)

# Guests, kernels at CPL 0 and Linux programs that attack: test/attacks/README.md.
attack_names = $(patsubst test/attacks/$(1)/%.c,$(B)/test/attacks/%$(2),$(wildcard test/attacks/$(1)/*.c))
ATTACK_GUESTS = $(call attack_names,guest,.elf)
ATTACK_KERNELS = $(call attack_names,kernel,.elf)
ATTACK_PROGRAMS = $(call attack_names,linux,)
ATTACKS = $(ATTACK_GUESTS) $(ATTACK_KERNELS) $(ATTACK_PROGRAMS)
$(ATTACK_GUESTS): $(B)/test/attacks/%.elf: test/attacks/guest/%.c $(B)/libnubguest.a guests/rt/nub.ld
	$(call say,GUEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_CC) $(GUEST_FLAGS) -fno-pie -static -MMD -MP -MF $@.d -MT $@ $(GUEST_LINK) -o $@ $< $(B)/libnubguest.a

$(ATTACK_KERNELS): $(B)/test/attacks/%.elf: test/attacks/kernel/%.c guests/rt/nub.ld
	$(call say,GUEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_CC) $(GUEST_FLAGS) -mgeneral-regs-only -fno-pie -static -MMD -MP -MF $@.d -MT $@ $(GUEST_LINK) -o $@ $<

$(ATTACK_PROGRAMS): $(B)/test/attacks/%: test/attacks/linux/%.c
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -O2 -g -Wall -Wextra -pthread -static -MMD -MP -MF $@.d -o $@ $<

# The command with allocations that fail and reads and writes that are short, for scripts/faults.
FAULTY = $(B)/test/nubrun-faulty
WRAPPED = main malloc calloc realloc read write pread pwrite
$(FAULTY): test/faults/wrap.c $(CMD_OBJS) $(B)/libnub.a
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LINK_HARDENED) $(addprefix -Wl$(comma)--wrap=,$(WRAPPED)) -o $@ $^ $(DEP_LIBS)

# Many run guests, which they find beside themselves.
LINUX_PROGRAMS += $(B)/test/linux/debugged.pie
$(UNITS): | $(GUESTS) $(TEST_GUESTS) $(LINUX_PROGRAMS)

tests: all $(UNITS) $(FUZZERS) $(TOOLS) $(TEST_GUESTS) $(LINUX_PROGRAMS) $(ATTACKS) $(FAULTY) samples $(BENCH) $(BENCH_BASES)

## unit: build and run the unit tests (those of sandboxes are skipped without KVM)
unit: $(UNITS)
	$(Q)for t in $(UNITS); do $$t || exit 1; done

## check: everything that must hold: builds, tests, fuzzers, sanitizers, lint, documents
check:
	@scripts/check

## check-sanitize: the tests under AddressSanitizer and UndefinedBehaviorSanitizer, built in build/asan
check-sanitize:
	@scripts/check sanitize

# Not those that it can't run. What has not changed since is not run again.
VALGRINDED = $(filter-out $(shell sed '/^\#/d; s/[[:space:]].*//' test/unit/not-in-valgrind),$(UNIT_NAMES))
## valgrind: the unit tests that run no guests, under valgrind's memcheck; test/unit/not-in-valgrind says which it can't run
valgrind: $(VALGRINDED:%=$(B)/valgrind/%)

$(B)/valgrind/%: $(B)/test/%
	$(call say,MEMCHECK,$<)
	$(Q)mkdir -p $(@D)
	$(Q)valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,possible $< >$@.out 2>&1 </dev/null || \
		{ cat $@.out; exit 1; }
	$(Q)mv $@.out $@

## coverage: how many of the library's lines the tests run, by room, and whether that is 90 % of them
coverage:
	@scripts/coverage

## fuzz: T=value S=60 looks for inputs that break a fuzz target, with libFuzzer (clang), and keeps what it learnt in build/fuzz
fuzz:
	@scripts/fuzz '$(T)' '$(or $(S),60)'

## mutants: N=1000 runs the command on so many damaged guests, Linux programs and snapshots
mutants: $(B)/nubrun $(GUESTS) $(LINUX_PROGRAMS) $(B)/test/mutants
	@BUILD=$(B) scripts/mutants $(or $(N),1000)

## soak: S=3600 restores, calls, resets and crashes guests for so many seconds, and looks whether anything grows
soak: $(B)/nubrun $(GUESTS) $(B)/test/soak
	@BUILD=$(B) scripts/soak $(or $(S),3600)

.PHONY: tests unit check check-sanitize valgrind coverage fuzz mutants soak
-include $(addsuffix .d,$(patsubst %,$(B)/libfuzzer/%,$(FUZZ_NAMES)) $(UNITS) $(FUZZERS) $(TOOLS) $(TEST_GUESTS) $(ATTACKS) $(LINUX_PROGRAMS))
