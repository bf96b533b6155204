# The guest runtime and the sample guests: each guests/NAME.c becomes build/guests/NAME.elf (ET_EXEC) and NAME.pie.elf.

GUEST_CFLAGS ?= -O2 -g
# What guests/rt/nub-guest.pc.in says, for a build inside the project.
GUEST_CODE = -std=gnu17 -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
	-ffunction-sections -fdata-sections $(WARNINGS) $(GUEST_CFLAGS)
GUEST_FLAGS = $(GUEST_CODE) -ffreestanding -Iguests/rt -Ilib
GUEST_LINK = -nostdlib -Wl,-T,guests/rt/nub.ld -Wl,--gc-sections -Wl,--build-id -Wl,-z,noexecstack -Wl,-z,separate-code \
	-Wl,-z,norelro

RT_SRCS = $(wildcard guests/rt/*.c guests/rt/*.S)
RT_OBJS = $(patsubst %,$(B)/%.o,$(RT_SRCS))
GUEST_NAMES = $(patsubst guests/%.c,%,$(wildcard guests/*.c))
GUESTS = $(patsubst %,$(B)/guests/%.elf,$(GUEST_NAMES)) $(patsubst %,$(B)/guests/%.pie.elf,$(GUEST_NAMES))

## guests: the guest runtime (libnubguest.a) and the sample guests
guests: $(B)/libnubguest.a $(GUESTS)

$(B)/guests/rt/%.o: guests/rt/% Makefile guests/guests.mk
	$(call say,GCC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_CC) $(GUEST_FLAGS) -fPIE -MMD -MP -c -o $@ $<

$(B)/libnubguest.a: $(RT_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/guests/%.pie.elf: guests/%.c $(B)/libnubguest.a guests/rt/nub.ld
	$(call say,GUEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_CC) $(GUEST_FLAGS) $(GUEST_FLAGS_$*) -fPIE -static-pie -MMD -MP -MF $@.d -MT $@ $(GUEST_LINK) -o $@ $< $(B)/libnubguest.a

$(B)/guests/%.elf: guests/%.c $(B)/libnubguest.a guests/rt/nub.ld
	$(call say,GUEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_CC) $(GUEST_FLAGS) $(GUEST_FLAGS_$*) -fno-pie -static -MMD -MP -MF $@.d -MT $@ $(GUEST_LINK) -o $@ $< $(B)/libnubguest.a

# two-spaces runs at CPL 0, where some hosts interpret every instruction and know general registers only.
GUEST_FLAGS_two-spaces = -mgeneral-regs-only

# A debugger shows its variables and lines as they are written.
GUEST_FLAGS_debug = -O0

.PHONY: guests
-include $(patsubst %.o,%.d,$(RT_OBJS)) $(addsuffix .d,$(GUESTS))
