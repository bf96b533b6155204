#!/usr/bin/env bats
# An installation is complete: what `make install` puts there is enough to build and run guests in another folder, with
# gcc and clang, in C and C++, ET_EXEC and static PIE, and uninstall takes all of it away again.

load helper

setup_file() {
	export ROOT
	export DEST="$BATS_FILE_TMPDIR/dest"
	make -s -C "$ROOT" install DESTDIR="$DEST" PREFIX=/usr >&2
	cd "$BATS_FILE_TMPDIR"
	cat >hello.c <<-'END'
		#include <nub_guest.h>

		int main(int argc, char **argv)
		{
			printf("hello from %s, %d\n", argc > 1 ? argv[1] : "nobody", argc);
			return 3;
		}
	END
	cat >hello.cc <<-'END'
		#include <nub_guest.h>

		struct counter {
			int value;
			counter() : value(41) {}
		};
		static counter made_before_main;

		int main(int argc, char **argv)
		{
			printf("hello from %s, %d\n", argc > 1 ? argv[1] : "nobody", argc);
			return made_before_main.value == 41 ? 3 : 1;
		}
	END
}

# Build a guest with the installed files alone, as the README says, and run it with the installed command.
build_and_run() { # ELF-TYPE COMPILER SOURCE [FLAG...]
	local type=$1 compiler=$2 source=$3 flags elf=$BATS_TEST_TMPDIR/guest.elf
	shift 3
	cd "$BATS_FILE_TMPDIR"
	flags=$(PKG_CONFIG_PATH=$DEST/usr/lib/pkgconfig pkg-config --define-variable=prefix="$DEST/usr" --cflags --libs nub-guest)
	# shellcheck disable=SC2086 # the flags are words
	"$compiler" -O2 -Wall -Werror "$source" $flags "$@" -o "$elf"
	readelf -hW "$elf" | grep -q "Type: *$type"
	run "$DEST/usr/bin/nubrun" run --status "$BATS_TEST_TMPDIR/status" "$elf" afar
	echo "$output"
	cat "$BATS_TEST_TMPDIR/status"
	[ "$status" -eq 3 ]
	[ "$output" = "hello from afar, 2" ]
	[ "$(jq -r .status "$BATS_TEST_TMPDIR/status")" = guest-exit ]
}

@test "install: puts command, library, header, linker script, pkg-config file, manuals and completion below DESTDIR" {
	local file
	for file in bin/nubrun lib/nub/libnubguest.a lib/nub/nub.ld include/nub-guest/nub_guest.h \
		include/nub-guest/abi/nub_abi.h include/nub_checkpoint.h lib/pkgconfig/nub-guest.pc share/man/man1/nubrun.1 share/man/man7/nub-guest.7 \
		share/man/man7/nub-internals.7 \
		share/bash-completion/completions/nubrun lib/libnub.a lib/pkgconfig/nub.pc include/nub/nub.h \
		include/nub/abi/nub_abi.h include/nub/nub/error.h include/nub/nub/sandbox.h; do
		[ -s "$DEST/usr/$file" ] || { echo "missing: $file" && false; }
	done
	[ -x "$DEST/usr/bin/nubrun" ]
	run grep -r "$DEST\|$ROOT" "$DEST/usr/lib/pkgconfig" "$DEST/usr/include" "$DEST/usr/share"
	[ "$status" -eq 1 ]
}

@test "install: C, gcc" {
	needs_kvm
	build_and_run EXEC gcc hello.c
}

@test "install: C, clang" {
	needs_kvm
	build_and_run EXEC clang hello.c
}

@test "install: C++, g++, constructors run" {
	needs_kvm
	build_and_run EXEC g++ hello.cc
}

@test "install: C++, clang++, constructors run" {
	needs_kvm
	build_and_run EXEC clang++ hello.cc
}

@test "install: static PIE, gcc" {
	needs_kvm
	build_and_run DYN gcc hello.c -fPIE -static-pie
}

@test "install: static PIE, clang" {
	needs_kvm
	build_and_run DYN clang hello.c -fPIE -static-pie
}

@test "install: static PIE, C++, g++ and clang++" {
	needs_kvm
	build_and_run DYN g++ hello.cc -fPIE -static-pie
	build_and_run DYN clang++ hello.cc -fPIE -static-pie
}

# A program that embeds the library, built with the installed files alone.
@test "install: a program of the library's, gcc and clang" {
	needs_kvm
	local compiler
	cd "$BATS_TEST_TMPDIR"
	cat >runner.c <<-'END'
		#include <nub.h>
		#include <stdio.h>
		#include <string.h>

		int main(int argc, char **argv)
		{
			static char bytes[1 << 20];
			struct nub_error err = { 0 };
			struct nub_config config = nub_config_default();
			const struct nub_value args[] = { { .type = NUB_TYPE_I64, .i64 = 2 }, { .type = NUB_TYPE_I64, .i64 = 40 } };
			struct nub_outcome outcome;
			config.engine = argc > 2 && strcmp(argv[2], "process") == 0 ? NUB_ENGINE_PROCESS : NUB_ENGINE_KVM;
			FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
			size_t size = file ? fread(bytes, 1, sizeof(bytes), file) : 0;
			struct nub_image *image = nub_image_parse(bytes, size, "guest", &err);
			struct nub_sandbox *sandbox = image ? nub_sandbox_create(&config, image, &err) : NULL;

			if (!sandbox || nub_sandbox_call(sandbox, "add", args, 2, &outcome, &err) < 0)
				return fprintf(stderr, "%s\n", err.message), 1;
			printf("%d %d\n", outcome.kind == NUB_OUTCOME_RETURNED, (int)outcome.result.i64);
			nub_sandbox_free(sandbox);
			nub_image_free(image);
			return 0;
		}
	END
	for compiler in gcc clang; do
		# shellcheck disable=SC2046 # the flags are words
		"$compiler" -std=c17 -Wall -Wextra -Werror runner.c $(PKG_CONFIG_PATH=$DEST/usr/lib/pkgconfig pkg-config \
			--define-variable=prefix="$DEST/usr" --cflags --libs nub) -o runner
		run ./runner "$ROOT/build/guests/calc.elf" "${NUBRUN_ENGINE:-kvm}"
		echo "$output"
		[ "$status" -eq 0 ]
		[ "$output" = "1 42" ]
	done
}

# The first line of README.md's shell blocks that begins so, with the lines that continue it.
readme_line() { # BEGINNING
	awk -v beginning="$1" 'index($0, beginning) == 1 { on = 1 } on { print } on && !/\\$/ { exit }' "$ROOT/README.md"
}

# The README's C blocks, by number.
readme_c() { # NUMBER
	awk -v wanted="$1" '/^```c$/ { on = ++n == wanted; next } /^```$/ { on = 0 } on { print }' "$ROOT/README.md"
}

@test "README: its first guest builds by its lines, installed and in the tree, and runs" {
	needs_kvm
	local line
	cd "$BATS_TEST_TMPDIR"
	readme_c 1 >hello.c
	[ -s hello.c ]
	pkg-config() {
		PKG_CONFIG_PATH=$DEST/usr/lib/pkgconfig command pkg-config --define-variable=prefix="$DEST/usr" "$@"
	}
	line=$(readme_line 'gcc -O2 hello.c $(pkg-config')
	[ -n "$line" ]
	eval "$line"
	run "$DEST/usr/bin/nubrun" run --status status hello.elf you
	[ "$status" -eq 0 ]
	[ "$output" = "hello, you" ]

	rm hello.elf
	ln -s "$ROOT/guests" "$ROOT/lib" "$ROOT/build" .
	line=$(readme_line 'gcc -O2 -ffreestanding')
	[ -n "$line" ]
	eval "$line"
	run "$DEST/usr/bin/nubrun" run --status status hello.elf you
	[ "$status" -eq 0 ]
	[ "$output" = "hello, you" ]
}

@test "README: its exported function can be called" {
	needs_kvm
	cd "$BATS_TEST_TMPDIR"
	readme_c 2 >add.c
	# shellcheck disable=SC2046 # the flags are words
	gcc -O2 add.c $(PKG_CONFIG_PATH=$DEST/usr/lib/pkgconfig pkg-config --define-variable=prefix="$DEST/usr" --cflags \
		--libs nub-guest) -o add.elf
	run "$DEST/usr/bin/nubrun" run --status status --call add add.elf 2 40
	[ "$status" -eq 0 ]
	[ "$output" = 42 ]
}

@test "README: the commands of its session do what it shows" {
	needs_kvm
	local line
	cd "$BATS_TEST_TMPDIR"
	ln -s "$ROOT/build" .
	sed -n '/^## A session/,/^## /s/^\$ //p' "$ROOT/README.md" >session
	[ "$(wc -l <session)" -ge 6 ]
	while read -r line; do
		# core.bats is where gdb opens cores.
		[[ $line != gdb* ]] || continue
		# Printed by the guest, or asked of the status; what varies is not compared.
		capture bash -c "$line"
		case $line in
		jq*) grep -qxF "$output" "$ROOT/README.md" ;;
		*tail*) [ "$(jq -r .status <<<"$output")" = ok ] ;;
		*--call*) [ "$output" = 42 ] ;;
		*inspect*) [[ $status -eq 0 && $output == *guest* ]] ;;
		*recursion*) [[ $status -eq 134 && -s crash.core ]] ;;
		*dump*) [[ $status -eq 0 && $output == *stack* ]] ;;
		*) grep -qxF "${lines[0]}" "$ROOT/README.md" ;;
		esac
	done <session
}

@test "README: the status members that it explains are those of a real status" {
	needs_kvm
	local member
	cd "$BATS_TEST_TMPDIR"
	"$DEST/usr/bin/nubrun" run --status status "$ROOT/build/guests/hello.elf"
	jq -r 'keys[]' status >members
	[ -s members ]
	while read -r member; do
		grep -q "^|.*\`$member\`.*|" "$ROOT/README.md" || { echo "not explained: $member" && false; }
	done <members
	for member in schema version command status exit_code time_us exits memory; do
		grep -qx "$member" members
	done
}

@test "install: as PREFIX says, and uninstall leaves nothing" {
	local dest="$BATS_TEST_TMPDIR/other"
	make -s -C "$ROOT" install DESTDIR="$dest" PREFIX=/opt/nub
	grep -q '/opt/nub' "$dest/opt/nub/lib/pkgconfig/nub-guest.pc"
	make -s -C "$ROOT" uninstall DESTDIR="$dest" PREFIX=/opt/nub
	run find "$dest" -type f
	[ -z "$output" ]
}
