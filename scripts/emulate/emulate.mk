# with-kvm's two programs: outside runs on the host, inside is the emulated machine's first process. They need libc alone.

EMULATE = $(B)/emulate/outside $(B)/emulate/inside
EMULATE_CFLAGS = -std=gnu17 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) -D_FORTIFY_SOURCE=2 -fstack-protector-strong

# Both anew when anything changes, as with-kvm asks whether they are.
EMULATE_SOURCES = $(wildcard scripts/emulate/*.[ch]) scripts/emulate/emulate.mk scripts/emulate/prepare.sh

$(B)/emulate/outside: $(EMULATE_SOURCES)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(EMULATE_CFLAGS) -o $@ $(addprefix scripts/emulate/,outside.c machine.c start.c)

$(B)/emulate/inside: $(EMULATE_SOURCES)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(EMULATE_CFLAGS) -static -o $@ $(addprefix scripts/emulate/,inside.c command.c)

emulate: $(EMULATE)

tests: emulate

.PHONY: emulate
