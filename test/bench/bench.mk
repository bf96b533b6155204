# Measurements: floor.c (the bare KVM ioctls), floor_process.c (a bare process under seccomp) and a native compute.c are what nubrun and its guests are measured against.

BENCH = $(B)/bench/bench
BENCH_SRCS = test/bench/bench.c test/bench/bench_calls.c test/bench/bench_restore.c test/bench/bench_snapshot.c test/bench/bench_many.c \
	test/bench/bench_linux.c test/bench/bench_python.c test/bench/measure.c
BENCH_BASES = $(B)/bench/floor $(B)/bench/floor_process $(B)/bench/compute $(B)/bench/linux_calls $(B)/bench/library
RUNS ?= 40
COUNT_RUNS ?= 3

$(BENCH): $(BENCH_SRCS) test/bench/measure.h Makefile
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(BENCH_SRCS) $(DEP_LIBS)

$(B)/bench/floor: test/bench/floor.c test/bench/floor.h test/bench/bench.mk
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE $(WARNINGS) -O2 $(LINK_STATIC) -o $@ $<

# Some of its functions run where nothing else of it is.
$(B)/bench/floor_process: test/bench/floor_process.c test/bench/floor.h test/bench/bench.mk
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE $(WARNINGS) -O2 -fno-stack-protector -fcf-protection=none -fno-pie $(or $(LINK_STATIC),-no-pie) -o $@ $<

# The same compiler and flags as the guest of this name.
$(B)/bench/compute: guests/compute.c guests/guests.mk
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_CC) $(GUEST_CODE) -DNATIVE -fno-pie $(or $(LINK_STATIC),-no-pie) -o $@ $<

# What an embedder has.
$(B)/bench/library: test/bench/library.c $(B)/libnub.a test/bench/bench.mk
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LINK_HARDENED) -o $@ $< $(B)/libnub.a $(DEP_LIBS)

# A program for Linux that runs natively and in a guest.
$(B)/bench/linux_calls: test/bench/linux_calls.c test/bench/bench.mk
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE $(WARNINGS) -O2 -pthread -static -o $@ $<

## bench: nubrun against bare system calls and native code, by each engine that this host has, medians of RUNS=40 runs in turn
bench: all samples $(BENCH) $(BENCH_BASES)
	$(Q)$(BENCH) $(B) $(RUNS)

## bench-counts: the same rows on emulated SVM in instructions, medians of COUNT_RUNS=3 runs, twice; $(B)/bench/counts.json
bench-counts: all samples $(BENCH) $(BENCH_BASES)
	$(Q)test/bench/counts $(B) $(COUNT_RUNS)

.PHONY: bench bench-counts
