# with-kvm's two programs: outside runs on the host, inside is the emulated machine's first process. They need libc alone.

EMULATE = $(B)/emulate/outside $(B)/emulate/inside
EMULATE_CFLAGS = -std=gnu17 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) -D_FORTIFY_SOURCE=2 -fstack-protector-strong

$(B)/emulate/outside: $(addprefix scripts/emulate/,outside.c machine.c machine.h wire.h emulate.mk)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(EMULATE_CFLAGS) -o $@ $(filter %.c,$^)

$(B)/emulate/inside: $(addprefix scripts/emulate/,inside.c wire.h emulate.mk)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(EMULATE_CFLAGS) -static -o $@ $(filter %.c,$^)

emulate: $(EMULATE)

.PHONY: emulate
