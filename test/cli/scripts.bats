#!/usr/bin/env bats
# What a newcomer types: scripts/quickstart, from anywhere, twice, where something is missing; and how scripts/check counts.
# But for the first two, the scripts run in a tree of their own, on a PATH where make, apt-get and others are stand-ins.

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

# A tree with nothing but the scripts. `make` writes a nubrun whose `run` ends with RUN_STATUS.
make_tree() {
	mkdir -p "$TREE"
	cp -r "$ROOT/scripts" "$TREE"
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

@test "quickstart: where KVM can't be used, it still builds, lets nubrun check explain, and exits with 125" {
	make_tree
	RUN_STATUS=125 quickstart
	[ "$status" -eq 125 ]
	[[ $(cat "$LOG") == "make -j"*" B=build all" ]]
	[[ ${lines[-1]} == "nubrun: check" ]]
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
	CI='' NUBRUN_REQUIRE_KVM=${REQUIRE-} PATH=$BIN run "$TREE/scripts/check" tests
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

@test "check: skips are counted and named; for want of KVM they fail where it is required" {
	check_tree '1..2\nok 1 - a\nnot ok 2 # SKIP b\n' '1..2\nok 1 c\nok 2 d # skip no access to /dev/kvm\n'
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "4 passed, 0 failed, 2 skipped" ]
	[[ $output == *"ok 2 d # skip no access to /dev/kvm"* ]]

	if [ -r /dev/kvm ] && [ -w /dev/kvm ]; then
		REQUIRE=1 check_tree '1..1\nok 1 - a\n' '1..2\nok 1 c\nok 2 d # skip no access to /dev/kvm\n'
		[ "$status" -eq 1 ]
		[ "${lines[-1]}" = "5 passed, 1 failed" ]
	fi
}

@test "check: where KVM is required, its absence is a failure, whatever the tests say" {
	make_tree
	local missing="$BATS_TEST_TMPDIR/no-kvm"
	sed -i "s|<>/dev/kvm|<>$missing/kvm|" "$TREE/scripts/check"
	grep -q "$missing" "$TREE/scripts/check"
	NUBRUN_REQUIRE_KVM=1 PATH=$BIN run "$TREE/scripts/check" docs
	echo "$output"
	[ "$status" -eq 1 ]
	[[ ${lines[0]} == "FAIL  /dev/kvm can be opened" ]]
}
