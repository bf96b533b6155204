# shellcheck shell=bash
# What the tests of sample programs for Linux have in common: each does the same by itself, under nubrun, and thawed where it was
# ready, for every input.
load helper

SAMPLES=${GUESTS%/guests}/guests/linux

# A sample that could not be made here is not there.
needs_sample() { # NAME
	[ -x "$SAMPLES/$1" ] || skip "no $1 (see make samples)"
}

# What runs natively, under nubrun and as a copy, and what nubrun grants it.
program() { # COMMAND...
	command=("$@") grants=()
}

granted() { # NUBRUN-OPTION...
	grants=("$@")
}

# It is at its place in the program's tree too where that is a folder in memory.
granted_root() { # FOLDER
	granted --rootfs /
	[[ $1 != /tmp/* ]] || grants+=(--dir "$1")
}

# Save the program where it has said "ready".
freeze() {
	SNAP=$BATS_TEST_TMPDIR/sample.snap
	nub snapshot -o "$SNAP" "${grants[@]}" --until-output ready "${command[@]}" </dev/null
	ended 0 ok
	[ "$output" = ready ]
}

# Its output, errors and exit code for an input, and arguments, by itself; "ready" is no part of it.
expect() { # INPUT [ARG...]
	expected_code=0
	"${command[@]}" "${@:2}" <<<"$1" >"$BATS_TEST_TMPDIR/expected" 2>"$BATS_TEST_TMPDIR/expected.err" || expected_code=$?
	[ "$(head -n 1 "$BATS_TEST_TMPDIR/expected")" = ready ]
	sed -i 1d "$BATS_TEST_TMPDIR/expected"
}

# One run that must come to the same as the last expect. What it wrote is in files of this name.
same() { # NAME INPUT COMMAND NUBRUN-ARGUMENT...
	local name=$BATS_TEST_TMPDIR/$1 input=$2 verb=$3 code=0
	shift 3
	"$NUBRUN" "$verb" --status "$name.status" "$@" <<<"$input" >"$name.out" 2>"$name.err" || code=$?
	sed -i '1{/^ready$/d}' "$name.out"
	if [ "$code" -ne "$expected_code" ] || ! cmp "$BATS_TEST_TMPDIR/expected" "$name.out" ||
		! cmp "$BATS_TEST_TMPDIR/expected.err" "$name.err"; then
		echo "$code instead of $expected_code"
		head -n 50 "$name.out" "$name.err" "$name.status"
		return 1
	fi
}

# The program by itself, under nubrun, and thawed by each engine, for each input; then thawed twice at once, and out of a layer.
same_everywhere() { # INPUT...
	local input engine
	freeze
	for input; do
		expect "$input"
		same run "$input" run "${grants[@]}" -- "${command[@]}"
		for engine in $(engines); do
			same "$engine" "$input" restore --engine "$engine" "${grants[@]}" "$SNAP"
		done
	done
	same_at_once "$1" "${@: -1}"
	same_layer "$1"
	same_across "$1"
}

# Saved by each engine that there is, and thawed by each. (There is one way to copy pages: Linux programs have no --cow guest.)
same_across() { # INPUT [ARG...]
	local by engine stop=(--until-output ready)
	[ $# -eq 1 ] || stop=(--until-checkpoint)
	expect "$@"
	for by in $(engines); do
		SNAP=$BATS_TEST_TMPDIR/$by.snap
		nub snapshot --engine "$by" -o "$SNAP" "${grants[@]}" "${stop[@]}" "${command[@]}" </dev/null
		ended 0 ok
		[ "$output" = ready ]
		for engine in $(engines); do
			same "$by.$engine" "$1" restore --engine "$engine" "${grants[@]}" "$SNAP" "${@:2}"
		done
	done
}

# The program with arguments by itself, under nubrun, and saved at its checkpoint.
same_with_arguments() { # ARG...
	expect '' "$@"
	same run '' run "${grants[@]}" -- "${command[@]}" "$@"
	same_across '' "$@"
}

# A copy that was frozen again, just before it reads, in a layer over its own snapshot.
same_layer() { # INPUT
	nub snapshot -o "$SNAP.layer" --base "$SNAP" "${grants[@]}" --until-syscall read "$SNAP" </dev/null
	ended 0 ok
	[ "$output" = "" ]
	expect "$1"
	same layer "$1" restore "${grants[@]}" "$SNAP.layer"
}

# Two copies that both run before either gets its input.
same_at_once() { # INPUT INPUT
	local i fifo pids=()
	for i in 1 2; do
		fifo=$BATS_TEST_TMPDIR/input.$i
		mkfifo "$fifo"
		"$NUBRUN" restore "${grants[@]}" --timeout "$(slow 20)s" --status "$fifo.status" "$SNAP" <"$fifo" >"$fifo.out" 2>"$fifo.err" 3>&- &
		pids+=($!)
	done
	exec 4>"$BATS_TEST_TMPDIR/input.1" 5>"$BATS_TEST_TMPDIR/input.2"
	pause 0.2
	echo "$1" >&4
	echo "$2" >&5
	exec 4>&- 5>&-
	for i in 1 2; do
		expect "${!i}"
		status=0
		wait "${pids[i - 1]}" || status=$?
		[ "$status" -eq "$expected_code" ]
		cmp "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/input.$i.out"
	done
}
