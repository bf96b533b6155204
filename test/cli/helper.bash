# shellcheck shell=bash disable=SC2034 # variables are for the tests
# What the command's tests have in common: where it is, how it is run, how its status is read.
bats_require_minimum_version 1.5.0

ROOT=${ROOT:-$(cd "$BATS_TEST_DIRNAME/../.." && pwd)}
NUBRUN=${NUBRUN:-$ROOT/build/nubrun}
GUESTS=${GUESTS:-$ROOT/build/guests}
TEST_GUESTS=${GUESTS%/guests}/test/guests
TEST_TOOLS=${GUESTS%/guests}/test
# script(1) hands its command to $SHELL, or to sh where that is not set: the tests quote for bash.
export SHELL=$BASH

# jq starts in 20 ms, and in ten times that on an emulated machine; gojq, the same language, in 2.
if command -v gojq >/dev/null; then
	jq() {
		gojq "$@"
	}
fi

# Where there is no KVM, the process engine runs the guests, unless KVM must be there.
has_kvm() {
	[ -r /dev/kvm ] && [ -w /dev/kvm ]
}

if [ -z "${NUBRUN_ENGINE-}" ] && [ "${NUBRUN_REQUIRE_KVM-}" != 1 ] && ! has_kvm; then
	export NUBRUN_ENGINE=process
fi

# Run a command: $status, $output and $lines (its stdout), $stderr and $stderr_lines, $json (the last line of stderr, which is
# where the status is). Unlike bats' run, it finds nothing strange in exit code 127.
capture() { # COMMAND...
	local files=$BATS_FILE_TMPDIR/capture.$BATS_TEST_NUMBER
	status=0
	"$@" >"$files.out" 2>"$files.err" || status=$?
	output=$(<"$files.out") stderr=$(<"$files.err")
	mapfile -t lines <<<"$output"
	mapfile -t stderr_lines <<<"$stderr"
	json=${stderr_lines[-1]}
	printf 'exit %s\nstdout: %.2000s\nstderr: %.2000s\n' "$status" "$output" "$stderr"
}

nub() { # ARG...
	capture "$NUBRUN" "$@"
}

# A member of the status.
field() { # JQ-FILTER
	jq -r "$1" <<<"$json"
}

# The filter is true of the JSON. `jq -e` is not enough: of no JSON at all, jq 1.6 says that all is well.
holds() { # JQ-FILTER JSON
	[ "$(jq "$1" <<<"$2")" = true ]
}

# The last run ended like this.
ended() { # EXIT-CODE STATUS
	[ "$status" -eq "$1" ] && [ "$(field .status)" = "$2" ] && [ "$(field .exit_code)" -eq "$1" ]
}

# The last run was refused: with this code of error, by a message that matches, and with something to do about it.
refused() { # EXIT-CODE ERROR-CODE MESSAGE-PATTERN
	# shellcheck disable=SC2053 # a pattern
	ended "$1" error && [ "$(field .error.code)" = "$2" ] && [[ $(field .error.message) == $3 ]] &&
		[ -n "$(field '.error.hint // ""')" ]
}

# How much slower than a usual host this one may be, which whoever knows says in NUBRUN_TEST_SLOWNESS: limits of time, and
# pauses in which something is to happen, are as many times longer.
SLOWNESS=${NUBRUN_TEST_SLOWNESS:-1}

slow() { # NUMBER
	echo $(($1 * SLOWNESS))
}

pause() { # SECONDS
	local i
	for ((i = 0; i < SLOWNESS; i++)); do
		sleep "$1"
	done
}

# The process is gone soon, or waits for init to notice.
is_over() { # PID
	local i
	for ((i = 0; i < 50; i++)); do
		if ! [ -d "/proc/$1" ] || grep -q '^State:.*zombie' "/proc/$1/status"; then return 0; fi
		pause 0.1
	done
	return 1
}

# Guests are run by KVM, or by what NUBRUN_ENGINE says. Without KVM: skip loudly; fail where it must be there.
needs_kvm() {
	[ "${NUBRUN_ENGINE-}" != process ] || return 0
	if ! has_kvm; then
		[ "${NUBRUN_REQUIRE_KVM-}" != 1 ] || return 1
		skip "no access to /dev/kvm"
	fi
}

# The engines that this host has.
engines() {
	! has_kvm || echo kvm
	echo process
}

# What only the kvm engine can do: guests at CPL 0, limits of CPU time, what is asked of KVM itself, and memory of guests that no limit on file sizes is for.
only_kvm() {
	export NUBRUN_ENGINE=kvm
	needs_kvm
}
