# Sample programs for Linux: each guests/linux/NAME.* becomes build/guests/linux/NAME, where what it is made with is installed.
# They run without nubrun as well. Static, but for workers, whose libraries are the distribution's.

LINUX_SAMPLES =
SAMPLE_LACKS =

# $(1) is made where the shell command $(2) succeeds; $(3) is what it is made with, and $(4) Debian's package.
sample = $(if $(shell $(2) >/dev/null 2>&1 && echo yes),$(eval LINUX_SAMPLES += $(B)/guests/linux/$(1)),$(eval \
	SAMPLE_LACKS += $(1) ($(3); Debian: $(4));))

$(call sample,lua,$(PKG_CONFIG) --exists lua5.4,Lua 5.4,liblua5.4-dev)
$(call sample,sqlite,$(PKG_CONFIG) --exists sqlite3,SQLite,libsqlite3-dev)
$(call sample,workers,command -v $(CXX),a C++ compiler,g++)
$(call sample,words,command -v go,Go,golang-go)
$(call sample,sums,command -v rustc,Rust,rustc)

## samples: sample programs for Linux (guests/linux), as far as their languages and libraries are installed
samples: $(LINUX_SAMPLES)
	$(if $(SAMPLE_LACKS),@printf '  skip    %s\n' '$(SAMPLE_LACKS)')

SAMPLE_FLAGS = -O2 -g -Wall -Wextra -Ilib/abi $(if $(filter 1,$(WERROR)),-Werror) $(ANYWHERE)
# Linkers warn of the dlopen(3) in both libraries, which these programs never come to.
SAMPLE_STATIC = -static $(if $(shell ld --help | grep -e --no-warnings),-Wl$(comma)--no-warnings)

$(B)/guests/linux/lua: guests/linux/lua.c lib/abi/nub_checkpoint.h
	$(call say,SAMPLE,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(SAMPLE_FLAGS) $$($(PKG_CONFIG) --cflags lua5.4) $(SAMPLE_STATIC) \
		-o $@ $< $$($(PKG_CONFIG) --static --libs lua5.4)

$(B)/guests/linux/sqlite: guests/linux/sqlite.c lib/abi/nub_checkpoint.h
	$(call say,SAMPLE,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(SAMPLE_FLAGS) $$($(PKG_CONFIG) --cflags sqlite3) $(SAMPLE_STATIC) \
		-o $@ $< $$($(PKG_CONFIG) --static --libs sqlite3)

$(B)/guests/linux/workers: guests/linux/workers.cpp
	$(call say,SAMPLE,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CXX) -std=c++17 $(SAMPLE_FLAGS) -pthread -o $@ $<

$(B)/guests/linux/words: guests/linux/words.go
	$(call say,SAMPLE,$<)
	$(Q)mkdir -p $(@D)
	$(Q)CGO_ENABLED=0 GOFLAGS= go build -trimpath -o $@ $<

$(B)/guests/linux/sums: guests/linux/sums.rs
	$(call say,SAMPLE,$<)
	$(Q)mkdir -p $(@D)
	$(Q)rustc --edition 2021 -O -g -C target-feature=+crt-static -o $@ $<

.PHONY: samples
