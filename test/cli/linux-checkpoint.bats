#!/usr/bin/env bats
# Checkpoints of Linux programs (nub_checkpoint.h): nothing outside nubrun, where a snapshot stops, what a copy learns and is given.

load helper

CHECKPOINT=${GUESTS%/guests}/test/linux/checkpoint

setup() {
	needs_kvm
	SNAP=$BATS_TEST_TMPDIR/program.snap
}

@test "linux checkpoint: is passed by a program that nobody saves, with or without nubrun" {
	local way
	[ "$("$CHECKPOINT" plain 2>&1)" = $'0: copy 0, generation 0, errno 77\n1: copy 0, generation 0, errno 78\n2: copy 0, generation 0, errno 79' ]
	for way in plain signal thread; do
		nub run --strict "$CHECKPOINT" "$way"
		ended 0 ok
		[ "$output" = "$("$CHECKPOINT" "$way")" ]
	done
	nub run "$CHECKPOINT" plain
	[ "$(field .exits.checkpoint)" -eq 3 ]
	[ "$("$CHECKPOINT" arguments more </dev/null)" = $'copy 0\nnot told: Invalid argument\n1 byte: Invalid argument\nnowhere: Invalid argument' ]
}

@test "linux checkpoint: each copy goes on behind it, and knows that it is one" {
	local engine
	nub snapshot -o "$SNAP" --until-checkpoint "$CHECKPOINT" plain
	ended 0 ok
	[ "$output" = "" ]
	[ "$(field .checkpoint)" = true ]
	for engine in $(engines); do
		nub restore --engine "$engine" "$SNAP"
		ended 0 ok
		[ "$output" = $'0: copy 1, generation 1, errno 77\n1: copy 0, generation 1, errno 78\n2: copy 0, generation 1, errno 79' ]
	done
	nub snapshot -o "$SNAP.2" --base "$SNAP" --until-checkpoint "$SNAP"
	ended 0 ok
	[ "$output" = '0: copy 1, generation 1, errno 77' ]
	nub restore --until-checkpoint --snapshot-on-exit "$SNAP.3" "$SNAP.2"
	ended 0 ok
	[ "$output" = '1: copy 1, generation 2, errno 78' ]
	nub restore "$SNAP.3"
	[ "$output" = '2: copy 1, generation 3, errno 79' ]
	# A copy that is saved before it goes on is still one.
	nub snapshot -o "$SNAP.4" --until-syscall prctl "$SNAP"
	ended 0 ok
	nub restore "$SNAP.4"
	[ "${lines[0]}" = '0: copy 1, generation 2, errno 77' ]
	nub snapshot -o "$SNAP.5" --until-checkpoint "$SNAP.3"
	refused 125 state '*ended with exit code 0 before it came to a checkpoint*'
}

@test "linux checkpoint: clocks go on in a copy, and in the copy of one" {
	local engine
	for engine in $(engines); do
		nub snapshot --engine "$engine" -o "$SNAP" --until-checkpoint "$CHECKPOINT" clocks
		for _ in 1 2 3; do
			nub restore --engine "$engine" "$SNAP"
			ended 0 ok
			[ "$output" = 'copy 1, CPU time goes on, time goes on' ]
			nub snapshot --engine "$engine" -o "$SNAP" --until-syscall prctl "$SNAP"
			ended 0 ok
		done
	done
}

@test "linux checkpoint: a signal's handler and another thread come in between" {
	nub snapshot -o "$SNAP" --until-checkpoint "$CHECKPOINT" signal
	ended 0 ok
	pause 0.1
	nub restore "$SNAP"
	[ "$output" = 'copy 1, rung before' ]
	nub snapshot -o "$SNAP" --until-checkpoint "$CHECKPOINT" thread
	ended 0 ok
	nub restore "$SNAP"
	[ "$output" = 'copies 1' ]
	nub snapshot -o "$SNAP.2" --until-checkpoint "$SNAP"
	ended 0 ok
	nub restore "$SNAP.2"
	[[ $output == 'copies '[12] ]]
}

@test "linux checkpoint: a copy is given arguments, variables and input, as far as they are given" {
	local errors=$'1 byte: Numerical result out of range\nnowhere: Bad address'
	nub snapshot -o "$SNAP" --until-checkpoint --env OLD=x "$CHECKPOINT" arguments old </dev/null
	ended 0 ok
	capture "$NUBRUN" inspect "$SNAP"
	[[ $output == *', at a checkpoint that takes arguments'* ]]
	nub restore "$SNAP" </dev/null
	ended 0 ok
	[ "$output" = $'copy 1\n'"$errors"$'\nargument arguments\nargument old\nvariable OLD=x' ]
	nub restore "$SNAP" one 'two three' '' -- <<<four
	ended 0 ok
	[ "$output" = $'copy 1\n'"$errors"$'\nargument one\nargument two three\nargument \nargument --\nvariable OLD=x\ninput four' ]
	nub restore --env A=1 --env B= -- "$SNAP" new </dev/null
	[ "$output" = $'copy 1\n'"$errors"$'\nargument new\nvariable A=1\nvariable B=' ]
	# None at all, when what is handed on is not set here.
	unset NOT_SET_HERE
	nub restore --env NOT_SET_HERE "$SNAP" </dev/null
	[ "$output" = $'copy 1\n'"$errors"$'\nargument arguments\nargument old' ]
	# They are in a snapshot of the copy.
	nub snapshot -o "$SNAP.2" --until-syscall write "$SNAP" newer </dev/null
	capture "$NUBRUN" inspect --json "$SNAP.2"
	holds '.program.arguments[1:] == ["newer"]' "$output"
}

@test "linux checkpoint: a program that does not ask for arguments or variables is not given them" {
	nub snapshot -o "$SNAP" --until-checkpoint "$CHECKPOINT" plain
	capture "$NUBRUN" inspect "$SNAP"
	[[ $output == *', at a checkpoint'* && $output != *'takes arguments'* ]]
	nub restore "$SNAP" more
	refused 125 usage '*takes no arguments*checkpoint*'
	[ "$output" = "" ]
	nub restore --env A=1 "$SNAP"
	refused 125 usage '*takes no variables*checkpoint*'
	nub snapshot -o "$SNAP.2" --until-checkpoint "$SNAP" more
	refused 125 usage '*takes no arguments*'
	# Where it asked once, it is further on now.
	nub snapshot -o "$SNAP" --until-checkpoint "$CHECKPOINT" arguments </dev/null
	nub snapshot -o "$SNAP.2" --until-output copy "$SNAP" given </dev/null
	ended 0 ok
	nub restore "$SNAP.2" more
	refused 125 usage '*takes no arguments*'
	nub restore "$SNAP.2" </dev/null
	[[ $output == *'argument given' ]]
	nub restore "$SNAP" "$(head -c 100000 /dev/zero | tr '\0' x)" </dev/null
	ended 0 ok
	[[ $output == *'not told: Numerical result out of range'* ]]
}

@test "linux checkpoint: other languages make the call, and C++ takes the header" {
	[ -x /usr/bin/python3 ] || skip "no /usr/bin/python3"
	local call='import ctypes; c = ctypes.CDLL(None).prctl(0x4e756272, 1, 1, 0, 0); print(c, open("/proc/self/cmdline").read().split("\0")[1:-1] if c == 1 else "")'
	[ "$(/usr/bin/python3 -c "$call")" = '-1 ' ]
	nub snapshot -o "$SNAP" --rootfs / --until-checkpoint /usr/bin/python3 -c "$call"
	ended 0 ok
	nub restore --rootfs / "$SNAP" a b
	ended 0 ok
	[ "$output" = "1 ['a', 'b']" ]
	for compiler in g++ clang++; do
		"$compiler" -std=c++11 -Wall -Wextra -Wpedantic -Werror -I "$ROOT/lib/abi" -x c++ -o "$BATS_TEST_TMPDIR/cc" - <<-'END'
			#include <nub_checkpoint.h>
			int main() { return NUB_CHECKPOINT() + NUB_CHECKPOINT_WITH_ARGUMENTS() + NUB_GENERATION(); }
		END
		"$BATS_TEST_TMPDIR/cc"
	done
}
