#!/usr/bin/env bats
# What a newcomer types: scripts/quickstart, from anywhere, twice, where something is missing; how scripts/check counts; what
# scripts/check-rooms, check-names and check-dialect refuse. But for the first two, the scripts run in a tree of their own, on a PATH where make, apt-get
# and others are stand-ins.

setup_file() {
	export ROOT=${ROOT:-$(cd "$BATS_TEST_DIRNAME/../.." && pwd)}
}

setup() {
	TREE="$BATS_TEST_TMPDIR/a tree"
	BIN="$BATS_TEST_TMPDIR/bin"
	LOG="$BATS_TEST_TMPDIR/log"
	export LOG BIN
	: >"$LOG"
}

needs_kvm() {
	if ! { [ -r /dev/kvm ] && [ -w /dev/kvm ]; }; then
		[ "${NUBRUN_REQUIRE_KVM-}" = 1 ] || skip "no access to /dev/kvm"
	fi
}

# Make BIN: links to all that PATH offers.
make_bin() {
	mkdir -p "$BIN"
	local folder
	local -a folders
	IFS=: read -ra folders <<<"$PATH"
	for folder in "${folders[@]}"; do
		cp -sn "$folder"/* "$BIN" 2>/dev/null || true
	done
}

# A command of our own in BIN; its body comes from standard input.
stand_in() { # NAME
	rm -f "${BIN:?}/$1"
	{ echo '#!/bin/bash' && cat; } >"$BIN/$1"
	chmod +x "$BIN/$1"
}

# A tree with nothing but the scripts. `make` writes a nubrun whose `run` ends with RUN_STATUS. For them, /dev/kvm is the file
# KVM, which is there; and with-kvm says what it would run in a machine, and runs it here.
make_tree() {
	KVM=$BATS_TEST_TMPDIR/kvm
	mkdir -p "$TREE"
	cp -r "$ROOT/scripts" "$TREE"
	sed -i "/^kvm_usable/,/^}/s|/dev/kvm|$KVM|g" "$TREE/scripts/deps.sh"
	grep -q "<>$KVM" "$TREE/scripts/deps.sh"
	touch "$KVM"
	printf '%s\n' '#!/bin/bash' 'echo "with-kvm $*" >>"$LOG"' \
		'while [[ $1 == -* ]]; do case $1 in --copy | --timeout) shift ;; esac; shift; done' '"$@"' >"$TREE/scripts/with-kvm"
	make_bin
	stand_in make <<-'END'
		echo "make $*" >>"$LOG"
		mkdir -p build
		printf '#!/bin/bash\necho "nubrun: $*"\n[ "$1" != run ] || exit "${RUN_STATUS-0}"\n' >build/nubrun
		chmod +x build/nubrun
	END
	stand_in apt-get <<-'END'
		echo "apt-get $* ($DEBIAN_FRONTEND)" >>"$LOG"
		case " $* " in *" install "*) mv "$BIN/kept-make" "$BIN/make" ;; esac
	END
}

quickstart() {
	PATH=$BIN run "$TREE/scripts/quickstart" "$@"
	echo "$output"
	cat "$LOG"
}

@test "quickstart: a second time, from another folder, it builds nothing and runs hello" {
	needs_kvm
	cd "$BATS_TEST_TMPDIR"
	"$ROOT/scripts/quickstart" >/dev/null
	run "$ROOT/scripts/quickstart"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *'$ build/nubrun run build/guests/hello.elf'* ]]
	[[ $output == *'"status"'* ]]
	[[ $output != *'  CC '* && $output != *installing* ]]
}

@test "quickstart: runs hello in a folder whose name has spaces" {
	needs_kvm
	local entry
	mkdir -p "$TREE/build"
	(cd "$ROOT" && cp -a Makefile lib nubrun guests scripts man test "$TREE")
	for entry in "$ROOT"/build/*; do
		case $entry in */asan | */clang | */lint) ;; *) cp -a "$entry" "$TREE/build" ;; esac
	done
	run "$TREE/scripts/quickstart"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *'"status"'* ]]
}

@test "quickstart: where nubrun fails, it lets nubrun check explain, and exits with 125" {
	make_tree
	RUN_STATUS=125 quickstart
	[ "$status" -eq 125 ]
	[[ $(cat "$LOG") == "make -j"*" B=build all" ]]
	[[ ${lines[-1]} == "nubrun: check" ]]
}

@test "quickstart: where /dev/kvm can't be used, it says so and why, and runs hello as a process" {
	make_tree
	rm "$KVM"
	quickstart
	[ "$status" -eq 0 ]
	[[ $output == *"nubrun: check"*"/dev/kvm can't be used here"*"hardware boundary"*"nubrun: run --engine process build/guests/hello.elf"* ]]
	[[ ${lines[-1]} == "Next: build/nubrun run --engine process "* ]]
	RUN_STATUS=7 quickstart
	[ "$status" -eq 7 ]
}

@test "quickstart: the guest's own exit code comes through" {
	make_tree
	RUN_STATUS=7 quickstart
	[ "$status" -eq 7 ]
}

@test "quickstart: with nothing missing, apt-get is not asked" {
	make_tree
	quickstart
	[ "$status" -eq 0 ]
	[[ $(cat "$LOG") != *apt-get* ]]
}

@test "quickstart: as root, installs just what is missing, without questions" {
	make_tree
	mv "$BIN/make" "$BIN/kept-make"
	stand_in id <<<'echo 0'
	quickstart
	[ "$status" -eq 0 ]
	grep -qE '^apt-get .*update \(noninteractive\)$' "$LOG"
	grep -qE '^apt-get .*install --yes --no-install-recommends make \(noninteractive\)$' "$LOG"
	grep -q '^make' "$LOG"
}

@test "quickstart: as another user, installs through sudo" {
	make_tree
	mv "$BIN/make" "$BIN/kept-make"
	stand_in id <<<'echo 1000'
	stand_in sudo <<<'echo "sudo $1" >>"$LOG"; exec "$@"'
	quickstart
	[ "$status" -eq 0 ]
	grep -q '^sudo env' "$LOG"
	grep -q '^apt-get .*install .* make (noninteractive)' "$LOG"
}

@test "quickstart: as another user without sudo, says what root should type" {
	make_tree
	rm -f "$BIN/make" "$BIN/sudo"
	stand_in id <<<'echo 1000'
	quickstart
	[ "$status" -eq 1 ]
	[[ $output == "missing: make; as root, run: apt-get install make" ]]
	[ ! -s "$LOG" ]
}

@test "quickstart: without apt-get, names the packages; goes on when none is missing" {
	make_tree
	rm "$BIN/apt-get"
	quickstart
	[ "$status" -eq 0 ]
	rm "$BIN/make"
	quickstart
	[ "$status" -eq 1 ]
	[[ $output == *"missing: make (Debian's names)"* ]]
}

@test "quickstart: a failed installation is shown and ends it" {
	make_tree
	mv "$BIN/make" "$BIN/kept-make"
	stand_in id <<<'echo 0'
	stand_in apt-get <<<'echo "E: no such package" >&2; exit 100'
	quickstart
	[ "$status" -eq 1 ]
	[[ $output == *"E: no such package"* ]]
	[[ ${lines[-1]} == "apt-get could not install make" ]]
}

@test "quickstart: --help, and a word that it does not know" {
	make_tree
	quickstart --help
	[ "$status" -eq 0 ]
	[[ $output == "usage: scripts/quickstart"* ]]
	quickstart --fats
	[ "$status" -eq 125 ]
	[ ! -s "$LOG" ]
}

# A tree with one unit test, one fuzzer and command tests that print what the test says; `scripts/check tests` in it.
check_tree() { # UNIT-TAP BATS-TAP [FUZZ-STATUS]
	make_tree
	mkdir -p "$TREE"/test/{unit,fuzz,cli} "$TREE/build/test"
	touch "$TREE"/test/{unit/test_a.c,fuzz/fuzz_a.c,cli/a.bats}
	printf '#!/bin/sh\nprintf %s\n' "'$1'" >"$TREE/build/test/test_a"
	printf '#!/bin/sh\nexit %s\n' "${3-0}" >"$TREE/build/test/fuzz_a"
	chmod +x "$TREE"/build/test/*
	stand_in bats <<<"printf '$2'"
	[ -z "${rm_kvm-}" ] || rm "$KVM"
	NUBRUN_REQUIRE_KVM=${REQUIRE-} PATH=$BIN run "$TREE/scripts/check" tests
	echo "$output"
}

@test "check: sums up build, unit tests, fuzzer and command tests in its last line" {
	check_tree '1..2\nok 1 - a\nok 2 - b\n' '1..1\nok 1 c\n'
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "5 passed, 0 failed" ]
	[[ $output != *"ok 1 - a"* ]]
}

@test "check: a failed test is shown, counted, and fails the whole" {
	check_tree '1..2\nok 1 - a\nnot ok 2 - b\n# because\n' '1..1\nok 1 c\n'
	[ "$status" -eq 1 ]
	[ "${lines[-1]}" = "4 passed, 1 failed" ]
	[[ $output == *"not ok 2 - b"*"# because"* ]]
	# Once more at the end, with the program that it belongs to.
	[[ ${lines[-3]} == "FAIL  build/test/test_a: 1 passed, 1 failed" && ${lines[-2]} == "      not ok 2 - b" ]]
}

@test "check: tests that were planned and did not report have failed" {
	check_tree '1..4\nok 1 - a\n' '1..1\nok 1 c\n'
	[ "$status" -eq 1 ]
	[ "${lines[-1]}" = "4 passed, 3 failed" ]
	[[ $output == *"3 of the planned tests did not report"* ]]
}

@test "check: a program without tests has failed" {
	check_tree '' '1..1\nok 1 c\n'
	[ "$status" -eq 1 ]
	[ "${lines[-1]}" = "3 passed, 1 failed" ]
}

@test "check: a fuzzer that finds something has failed" {
	check_tree '1..1\nok 1 - a\n' '1..1\nok 1 c\n' 1
	[ "$status" -eq 1 ]
	[ "${lines[-1]}" = "3 passed, 1 failed" ]
}

@test "check: a file that a test leaves in the tree fails the whole" {
	make_tree
	stand_in left <<<"mkdir -p '$TREE/build' && touch '$TREE/build/log' '$TREE/restored'"
	sed -i 's/^run_docs() {$/&\n\tleft/' "$TREE/scripts/check"
	CI='' PATH=$BIN run "$TREE/scripts/check" docs
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output == *"FAIL  left in the tree: ./restored"* ]]
	[[ $output != *build/log* ]]
}

@test "check: skips are counted and named" {
	check_tree '1..2\nok 1 - a\nnot ok 2 # SKIP b\n' '1..2\nok 1 c\nok 2 d # skip only root\n'
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "4 passed, 0 failed, 2 skipped" ]
	[[ $output == *"ok 2 d # skip only root"* ]]
}

@test "check: where KVM is, a test that skips for want of it has failed" {
	check_tree '1..1\nok 1 - a\n' '1..2\nok 1 c\nok 2 d # skip no access to /dev/kvm\n'
	[ "$status" -eq 1 ]
	[ "${lines[-1]}" = "4 passed, 1 failed" ]
}

@test "check: a test that skips for another reason, in a folder with KVM in its name, has not failed" {
	check_tree '1..2\nok 1 - a\nok 2 - b # SKIP the size that KVM shows\n' '1..2\nok 1 c\nok 2 d # skip /home/kvm/a.snap: no RDSEED\n'
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "4 passed, 0 failed, 2 skipped" ]
}

@test "check: where KVM is not, what wants it is skipped and named, and fails only where KVM is required" {
	rm_kvm=1 check_tree '1..2\nok 1 - a\nnot ok 2 # SKIP kvm: b\n' '1..2\nok 1 c\nok 2 d # skip no access to /dev/kvm\n'
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "4 passed, 0 failed, 2 skipped" ]
	[[ $output == *"skip  build/d: wants KVM"* && $output == *"skip  build/test_a: kvm: b: wants KVM"* ]]
	REQUIRE=1 rm_kvm=1 check_tree '1..1\nok 1 - a\n' '1..1\nok 1 c\n'
	[ "$status" -eq 1 ]
	[[ ${lines[0]} == "FAIL  /dev/kvm can be opened" ]]
}

# A tree with a unit test that wants KVM and command tests of which one does, on a host without; `scripts/check ARG...` in it.
# In a machine, which has NUBRUN_REQUIRE_KVM=1, they do as UNIT and BATS say. Of the bench's counts, COUNTS is said.
kvm_tree() { # UNIT BATS ARG...
	make_tree
	mkdir -p "$TREE"/test/{unit,fuzz,cli,bench} "$TREE/build/test"
	printf '#!/bin/sh\necho counts "$@" >>"$LOG"\n' >"$TREE/test/bench/counts"
	printf '#!/bin/sh\nprintf "%s"\n' "${COUNTS-1..1\nok 1 kvm call\n}" >"$TREE/test/bench/check-counts"
	chmod +x "$TREE"/test/bench/*
	touch "$TREE"/test/{unit/test_a.c,fuzz/fuzz_a.c,cli/emulated-slow}
	printf 'test_a\tall\n' >"$TREE/test/unit/on-vmx"
	printf '@test "%s" {\n%s\n}\n' plain '' needy $'\tneeds_kvm' >"$TREE/test/cli/a.bats"
	printf '%s\n' '#!/bin/bash' '# /dev/kvm' '[ "$NUBRUN_REQUIRE_KVM" != 1 ] || { '"$1"'; }' \
		'printf "1..1\nnot ok 1 # SKIP kvm: a\n"' >"$TREE/build/test/test_a"
	printf '#!/bin/sh\n' >"$TREE/build/test/fuzz_a"
	chmod +x "$TREE"/build/test/*
	stand_in bats <<<'
		echo "bats $*" >>"$LOG"
		[ "$NUBRUN_REQUIRE_KVM" != 1 ] || { '"$2"'; }
		printf "1..2\nok 1 plain\nok 2 needy # skip no access to /dev/kvm\n"'
	rm "$KVM"
	[ -z "${SLOW-}" ] || printf %b "$SLOW" >"$TREE/test/cli/emulated-slow"
	shift 2
	NUBRUN_REQUIRE_KVM='' PATH=$BIN run "$TREE/scripts/check" "$@"
	echo "$output"
}

good_unit='printf "1..1\nok 1 - kvm: a\n"; exit 0'
good_bats='printf "1..1\nok 1 needy\n"; exit 0'

@test "check: what wants KVM is run on emulated KVM, then nothing is skipped" {
	kvm_tree "$good_unit" "$good_bats" tests kvm
	[ "$status" -eq 0 ]
	[[ ${lines[-1]} == *" passed, 0 failed" ]]
	[[ $output == *"test_a on emulated KVM, svm: 1 passed"*"a on emulated KVM, svm: 1 passed"* ]]
	[[ $output == *"test_a on emulated KVM, svm-shadow: 1 passed"*"test_a on emulated KVM, vmx: 1 passed"* ]]
	grep -qF 'bats --formatter tap --filter ^(needy)$ test/cli/a.bats' "$LOG"
}

@test "check: a slow command test waits for --all, and is skipped until then" {
	SLOW='a\tneedy\tlong\n' kvm_tree "$good_unit" "$good_bats" tests kvm
	[ "$status" -eq 0 ]
	[[ ${lines[-2]} == "skip  build/needy: wants KVM" ]]
	[[ ${lines[-1]} == *" passed, 0 failed, 1 skipped" ]]
	SLOW='a\tneedy\tlong\n' kvm_tree "$good_unit" "$good_bats" --all tests kvm
	[[ ${lines[-1]} == *" passed, 0 failed" ]]
}

@test "check: a test that fails on emulated KVM, a machine that hangs, one that stops" {
	kvm_tree 'printf "1..1\nnot ok 1 - kvm: a\n"; exit 1' "$good_bats" kvm
	[ "$status" -eq 1 ]
	[[ ${lines[-1]} == *" passed, 3 failed" ]]
	JOBS_PATIENCE=5 kvm_tree 'sleep 60' "$good_bats" kvm
	[ "$status" -eq 1 ]
	[[ $output == *"FAIL  test_a on emulated KVM, svm"*"hung in this job"*"for the second time"*"a on emulated KVM, svm: 1 passed"* ]]
	[[ ${lines[-1]} == *" passed, 3 failed" ]]
	kvm_tree 'kill -KILL $PPID; exit 1' "$good_bats" kvm
	[ "$status" -eq 1 ]
	[[ $output == *"FAIL  test_a on emulated KVM, svm"*"a on emulated KVM, svm: 1 passed"* ]]
}

@test "check: a job whose machine stops is run once more, which is said" {
	kvm_tree "if [ ! -e $BATS_TEST_TMPDIR/once ]; then
		touch $BATS_TEST_TMPDIR/once; printf '1..1\nok 1 - kvm: a\n'; kill -KILL \$PPID; exit 1; fi; $good_unit" "$good_bats" kvm
	[ "$status" -eq 0 ]
	[[ $output == *"test_a on emulated KVM, svm: 1 passed"*"the emulated machine hung in this job, or stopped"* ]]
	[[ ${lines[-1]} == *" passed, 0 failed" ]]
}

@test "check: a row of the bench that takes more instructions fails, one that takes fewer is told" {
	COUNTS='1..2\nok 1 kvm call\nnot ok 2 kvm reset: more\n' kvm_tree "$good_unit" "$good_bats" kvm
	[ "$status" -eq 1 ]
	[[ $output == *"FAIL  instructions"*"not ok 2 kvm reset: more"* ]]
	[[ ${lines[-1]} == *" passed, 1 failed" ]]
	grep -qx 'counts build 1' "$LOG"
	COUNTS='1..1\nok 1 kvm call\n# note: less\n' kvm_tree "$good_unit" "$good_bats" kvm
	[ "$status" -eq 0 ]
	[[ $output == *"instructions that the rows of the bench take: 1 passed"*"note: less"* ]]
	COUNTS='1..1\nok 1 counts # skip another compiler\n' kvm_tree "$good_unit" "$good_bats" kvm
	[ "$status" -eq 0 ]
	[[ $output == *"0 passed, 1 skipped"*"another compiler"* ]]
	[[ ${lines[-1]} == *" passed, 0 failed, 1 skipped" ]]
}

# A library of two rooms, `left` and `right`, in this order, with these files too.
rooms_tree() { # [FILE TEXT]...
	local file
	mkdir -p "$TREE"/{nubrun,test,lib/left,lib/right,objects/left,objects/right}
	cp -r "$ROOT/scripts" "$TREE"
	printf '%s\n' '| room | what is in it |' '| --- | --- |' '| `left` | a |' '| `right` | b |' '' >"$TREE/README.md"
	echo 'int nub_right(void);' >"$TREE/lib/nub.h"
	echo 'int nub_near(void);' >"$TREE/lib/right/near.h"
	printf '#include "nub.h"\n#include "right/near.h"\nint nub_right(void) { return 1; }\n' >"$TREE/lib/right/r.c"
	echo 'int nub_left;' >"$TREE/lib/left/l.c"
	while (($#)); do
		printf %b "$2" >"$TREE/$1"
		shift 2
	done
	for file in "$TREE"/lib/*/*.c; do
		gcc -I"$TREE/lib" -c "$file" -o "$TREE/objects/${file#"$TREE/lib/"}.o"
	done
	run "$TREE/scripts/check-rooms" "$TREE/objects"
	echo "$output"
}

@test "check-rooms: is content with rooms in order" {
	rooms_tree lib/left/l.c '#include "nub.h"\nint nub_left(void) { return 1; }\n' nubrun/main.c '#include "nub.h"\n'
	[ "$status" -eq 0 ]
	[ "$output" = "the 2 rooms of lib/ stand in order" ]
}

@test "check-rooms: an include of a later room" {
	rooms_tree lib/left/l.c '#include "right/near.h"\n'
	[ "$status" -eq 1 ]
	[ "$output" = 'lib/left/l.c includes "right/near.h", but right comes after left' ]
}

@test "check-rooms: a call into a later room, which no include tells" {
	rooms_tree lib/left/l.c '#include "nub.h"\nint nub_left(void);\nint nub_left(void) { return nub_right(); }\n'
	[ "$status" -eq 1 ]
	[ "$output" = 'lib/left/l.c uses nub_right of lib/right/r.c, but right comes after left' ]
}

@test "check-rooms: an include that names no room, and one of the command's that passes nub.h by" {
	rooms_tree lib/right/s.c '#include "near.h"\n' nubrun/main.c '#include "right/near.h"\n'
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = 'lib/right/s.c includes "near.h", which names no room' ]
	[ "${lines[1]}" = 'nubrun/main.c includes "right/near.h": nub.h is the way in' ]
}

@test "check-rooms: the JSON library outside its room" {
	mkdir -p "$TREE"/nubrun/{json,run} "$TREE/test"
	rooms_tree nubrun/json/j.c '#include <cjson/cJSON.h>\n' nubrun/run/r.c '#include <json-c/json.h>\n' \
		test/t.c '#include <cJSON.h>\n'
	[ "$status" -eq 1 ]
	[ "${#lines[@]}" -eq 2 ]
	[ "${lines[0]}" = 'nubrun/run/r.c includes <json-c/json.h>: json/json.h is the way in' ]
	[ "${lines[1]}" = 'test/t.c includes <cJSON.h>: json/json.h is the way in' ]
}

@test "check-rooms: two files of one name, a folder that the README lacks, and nothing to look at" {
	mkdir -p "$TREE"/{lib,objects}/other
	rooms_tree lib/left/r.c 'int nub_more;\n' lib/other/o.c 'int nub_other;\n'
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = "other is either a folder of lib/ or in README.md's table of rooms, not both" ]
	[ "${lines[1]}" = 'r.c is the name of two files in lib/' ]
	rm -r "$TREE/lib/other" "$TREE/lib/left/r.c" "$TREE/objects/right/r.c.o"
	run "$TREE/scripts/check-rooms" "$TREE/objects"
	[ "$status" -ne 0 ]
	[[ $output == *right/r.c.o* ]]
	run "$TREE/scripts/check-rooms" "$TREE/none"
	[ "$status" -eq 1 ]
	[[ $output == *"nothing to check" ]]
}

# A library, a command and a guest runtime of one file each, with these files too; and what they are built to.
names_tree() { # [FILE TEXT]...
	local file
	mkdir -p "$TREE"/{lib/left,nubrun/cli,guests/rt} "$TREE"/build/{obj/lib/left,obj/nubrun/cli,guests/rt}
	cp -r "$ROOT/scripts" "$TREE"
	echo 'void nub_guests_own(void);' >"$TREE/guests/rt/nub_guest.h"
	printf '#define _GNU_SOURCE\nint nub_left; static int own;\n' >"$TREE/lib/left/l.c"
	printf 'int cmd_main; int main(void) { return 0; }\n' >"$TREE/nubrun/cli/m.c"
	printf 'int rt_inside; void nub_guests_own(void) { }\n' >"$TREE/guests/rt/r.c"
	while (($#)); do
		printf %b "$2" >"$TREE/$1"
		shift 2
	done
	for file in lib/left/l.c nubrun/cli/m.c; do
		gcc -w -c "$TREE/$file" -o "$TREE/build/obj/$file.o"
	done
	gcc -w -c "$TREE/guests/rt/r.c" -o "$TREE/build/guests/rt/r.c.o"
	run "$TREE/scripts/check-names"
	echo "$output"
}

@test "check-names: is content with names and texts in their place" {
	names_tree lib/left/l.h '#ifndef NUB_L_H\n#define NUB_L_H\nstruct nub_l {\n};\n#define nub_m(x) x\n#endif\n'
	[ "$status" -eq 0 ]
}

@test "check-names: functions, variables, tags and macros with another's beginning" {
	names_tree lib/left/l.c 'int left(void) { return 1; }\n' lib/left/l.h 'struct cmd_l {\n\tint x;\n};\n' \
		nubrun/cli/m.c 'int nub_main; int main(void) { return 0; }\n' nubrun/cli/m.h '#define NUB_MOST 5\n' \
		guests/rt/r.c 'int nub_inside; void nub_guests_own(void) { }\n'
	[ "$status" -eq 1 ]
	[ "${#lines[@]}" -eq 5 ]
	[ "${lines[0]}" = 'lib/left/l.c: left does not begin with nub_' ]
	[ "${lines[1]}" = 'lib/left/l.h: cmd_l does not begin with nub_' ]
	[ "${lines[2]}" = 'nubrun/cli/m.c: nub_main does not begin with cmd_' ]
	[ "${lines[3]}" = 'nubrun/cli/m.h: NUB_MOST does not begin with cmd_' ]
	[ "${lines[4]}" = 'guests/rt/r.c: nub_inside does not begin with rt_' ]
}

@test "check-names: a text of the library that names an option, and one that names the command" {
	names_tree lib/left/l.c '/* --this of nubrun is fine */\nconst char *nub_left = "a \\"word\\", and --seed";\n' \
		lib/left/l.h '#define NUB_TEXT "x" "nubrun run"\n'
	[ "$status" -eq 1 ]
	[ "${#lines[@]}" -eq 2 ]
	[[ $output == *'lib/left/l.c:2 speaks of a command line: "a \"word\", and --seed"'* ]]
	[[ $output == *'lib/left/l.h:1 speaks of a command line: "nubrun run"'* ]]
}

@test "check-names: nothing to look at" {
	names_tree
	[ "$status" -eq 0 ]
	rm "$TREE"/build/guests/rt/r.c.o
	run "$TREE/scripts/check-names"
	[ "$status" -ne 0 ]
	run "$TREE/scripts/check-names" "$TREE/none"
	[ "$status" -eq 1 ]
	[[ $output == *"nothing to check" ]]
}

@test "check-dialect: pointers and NULL, failed calls and 0, also over lines" {
	local file=$BATS_TEST_TMPDIR/a.c
	printf '%s\n' 'int f(const char *p) {' 'if (p == NULL || NULL != p || g(h(p),' '"(") != 0 || g(p) == -1)' 'return 1;' \
		'return strcmp(p, "x() != 0") != 0 || (p && g(p) < 0) || (a | b) != 0;' '}' >"$file"
	run "$ROOT/scripts/check-dialect" "$file"
	echo "$output"
	[ "$status" -eq 1 ]
	[ "${#lines[@]}" -eq 4 ]
	[[ $output == *"a.c:2: a pointer is compared with NULL"*"a.c:2: a pointer is compared with NULL"* ]]
	[ "$(grep -c 'a.c:3: g() fails with' <<<"$output")" -eq 2 ]
	echo 'int f(const char *p) { return p && g(p) < 0; }' >"$file"
	run "$ROOT/scripts/check-dialect" "$file"
	[ "$status" -eq 0 ]
}
