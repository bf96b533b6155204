# Measurements: floor.c (the bare KVM ioctls), floor_process.c (a bare process under seccomp) and a native compute.c are what nubrun and its guests are measured against.

BENCH = $(B)/bench/bench
BENCH_SRCS = $(addprefix test/bench/,bench.c bench_calls.c bench_restore.c bench_snapshot.c bench_many.c bench_linux.c bench_python.c \
	measure.c rows.c rows_json.c machine.c)
BENCH_OBJS = $(patsubst %,$(B)/obj/%.o,nubrun/json/json_text.c $(JSON_FILE) nubrun/cli/text.c)
BENCH_BASES = $(B)/bench/floor $(B)/bench/floor_process $(B)/bench/compute $(B)/bench/linux_calls $(B)/bench/library
RUNS ?= 40
COUNT_RUNS ?= 3

$(BENCH): $(BENCH_SRCS) $(wildcard test/bench/*.h) $(BENCH_OBJS) $(B)/libnub.a test/bench/bench.mk Makefile
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(BENCH_SRCS) $(BENCH_OBJS) $(B)/libnub.a $(DEP_LIBS)

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

## bench-json: the same, and as JSON with the machine that it was measured on in $(B)/bench/bench.json
bench-json: all samples $(BENCH) $(BENCH_BASES)
	$(Q)$(BENCH) --json $(B)/bench/bench.json.part $(B) $(RUNS)
	$(Q)mv $(B)/bench/bench.json.part $(B)/bench/bench.json

## bench-chart: the same, and as a picture in doc/bench.svg, which README.md shows
bench-chart: bench-json
	$(Q)mkdir -p doc
	$(Q)scripts/bench-chart $(B)/bench/bench.json >$(B)/bench/bench.svg
	$(Q)cp $(B)/bench/bench.svg doc/bench.svg

## bench-counts: the same rows on emulated SVM in instructions, medians of COUNT_RUNS=3 runs, in two machines; $(B)/bench/counts.json
bench-counts: all samples $(BENCH) $(BENCH_BASES)
	$(Q)test/bench/counts $(B) $(COUNT_RUNS) $(COUNT_RUNS)

## bench-counts-update: the instructions that scripts/check holds, anew, in test/bench/counts.txt
bench-counts-update: all samples $(BENCH) $(BENCH_BASES)
	$(Q)test/bench/counts --update $(B)

.PHONY: bench bench-json bench-chart bench-counts bench-counts-update
