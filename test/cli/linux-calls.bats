#!/usr/bin/env bats
# Every system call that is served, with arguments of all kinds: what it gives, beside what it gives without nubrun.

load helper

PROGRAM=${GUESTS%/guests}/test/linux/calls

setup() {
	needs_kvm
}

# Calls that have no row of test/linux/calls, and why.
without_rows() {
	cat <<-'END'
		clone        makes a thread: test/linux/threads.c
		clone3       ENOSYS here, so that C libraries go on with clone
		execve       ENOSYS here
		execveat     ENOSYS here
		exit         ends the program
		exit_group   ends the program
		fork         ENOSYS here
		pause        has no end: test/linux/signals.c
		rseq         ENOSYS here, so that C libraries go on without
		rt_sigreturn returns from a handler: test/linux/signals.c
		setgroups    who may is not the same
		setsid       depends on who started it
		vfork        ENOSYS here
	END
}

@test "linux calls: each gives what it gives without nubrun" {
	local engine
	mkdir "$BATS_TEST_TMPDIR/native"
	"$PROGRAM" "$BATS_TEST_TMPDIR/native" </dev/null >"$BATS_TEST_TMPDIR/native.out"
	for engine in $(engines); do
		mkdir "$BATS_TEST_TMPDIR/$engine"
		nub run --engine "$engine" --dir "$BATS_TEST_TMPDIR/$engine:/work:rw" "$PROGRAM" /work </dev/null
		ended 0 ok
		diff <(grep -v ^younger "$BATS_TEST_TMPDIR/native.out") <(grep -v ^younger <<<"$output")
		# Whatever the host has.
		[ "$(grep ^younger <<<"$output")" = $'younger 0 fchmodat2 0\nyounger 1 fchmodat2 ENOENT\nyounger 2 fchmodat2 EINVAL' ]
	done
}

@test "linux calls: in memory they give what they give in a folder of the host" {
	mkdir "$BATS_TEST_TMPDIR/guest"
	nub run --dir "$BATS_TEST_TMPDIR/guest:/work:rw" "$PROGRAM" /work </dev/null
	ended 0 ok
	local host=$output
	nub run --tmpfs /work "$PROGRAM" /work </dev/null
	ended 0 ok
	diff <(echo "$host") <(echo "$output")
}

@test "linux calls: each that is served has rows" {
	mkdir "$BATS_TEST_TMPDIR/native"
	"$PROGRAM" "$BATS_TEST_TMPDIR/native" </dev/null | awk '{ print $3 }' | sort -u >"$BATS_TEST_TMPDIR/rows"
	comm -23 <("$NUBRUN" calls | awk -F '\t' '{ print $2 }' | sort -u) "$BATS_TEST_TMPDIR/rows" >"$BATS_TEST_TMPDIR/lacking"
	diff "$BATS_TEST_TMPDIR/lacking" <(without_rows | awk '{ print $1 }')
}
