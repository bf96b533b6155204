#!/usr/bin/env bats
# Kernels that lack what is younger, or left out, or hidden by a container, played by strace: each run goes on a slower way with the same
# result, or ends with an error that says what is missing.

load helper

BUSYBOX=$(command -v busybox)
export BUSYBOX

setup() {
	! grep -q __asan_init "$NUBRUN" || skip "a sanitizer traces, too"
	cd "$BATS_TEST_TMPDIR"
}

# The commands to try, a line each. $G has the guests.
export G=$GUESTS
commands() {
	cat <<-'END'
		run "$G/hello.elf"
		snapshot -o out.snap "$G/hello.elf"
		restore --call add --repeat 3 --reset calc.snap 1 2
		run --core core "$G/crash.elf" null
		run "$BUSYBOX" seq 3
	END
}

# A command as it is, and with something in it hidden (strace's words): the same, or an error with a text.
record() { # NUBRUN-ARG...
	rm -f out.snap core
	code=0
	strace -qq -o record "$NUBRUN" "$@" >expected 2>/dev/null </dev/null || code=$?
}

hide() { # INJECT NUBRUN-ARG...
	rm -f out.snap core
	capture timeout -s KILL "$(slow 30)" strace -qq -o /dev/null -e "inject=$1" "$NUBRUN" "${@:2}" </dev/null
	goes_on=no
	if [ "$status" -eq "$code" ] && [ "$output" = "$(cat expected)" ]; then
		goes_on=yes
	else
		echo "with $1: nubrun ${*:2}"
		[ "$status" -eq 125 ]
		[ -n "$(field .error.message)" ]
		[ ! -e out.snap ]
	fi
}

# The place in the record of the NTH line that matches, among those of its call.
place() { # CALL PATTERN
	grep "^$1(" record | grep -nE "$2" | head -n 1 | cut -d : -f 1
}

# From the command's own part on: the C library before it can't go on without.
first_of() { # CALL
	echo $(($(sed -n "/^fcntl(0, F_GETFD/q; /^$1(/p" record | wc -l) + 1))
}

# Run all commands by each engine, and for each that makes one of the calls, without it.
without() { # CHECK CALL...
	local check=$1 line call engine tried=0
	"$NUBRUN" snapshot -q --engine process -o calc.snap "$GUESTS/calc.elf"
	for engine in $(engines); do
		export NUBRUN_ENGINE=$engine
		while read -r line; do
			eval "local -a args=($line)"
			record "${args[@]}"
			for call in "${@:2}"; do
				grep -q "^$call(" record || continue
				hide "$call:error=ENOSYS:when=$(first_of "$call")+" "${args[@]}"
				"$check"
				tried=$((tried + 1))
			done
		done < <(commands)
	done
	[ "$tried" -gt 0 ]
}

goes_on() {
	[ "$goes_on" = yes ]
}

@test "without: what is only cheaper or safer, runs go on" {
	without goes_on landlock_create_ruleset seccomp close_range prlimit64 sysinfo lseek access statx process_vm_readv getrusage
}

@test "without: what there is no other way for is named" {
	without true memfd_create eventfd2 clone capset prctl landlock_add_rule getrandom ftruncate linkat fsync
}

@test "without: what does not hold is not in the status, and --require-confinement insists" {
	local part
	needs_kvm
	record run "$GUESTS/hello.elf"
	for part in landlock_create_ruleset=landlock seccomp=seccomp prlimit64=no-core; do
		hide "${part%=*}:error=ENOSYS:when=$(first_of "${part%=*}")+" run "$GUESTS/hello.elf"
		[ "$goes_on" = yes ]
		[ "$(field ".confinement | index(\"${part#*=}\")")" = null ]
		capture strace -qq -o /dev/null -e "inject=${part%=*}:error=ENOSYS:when=$(first_of "${part%=*}")+" "$NUBRUN" run --require-confinement "$GUESTS/hello.elf"
		refused 125 "$(field .error.code)" "*${part#*=}*"
		[ "$(field .exits.total)" -eq 0 ]
	done
}

@test "without: reads and writes that a signal interrupts are gone on with" {
	local call how engine
	"$NUBRUN" snapshot -q --engine process -o calc.snap "$GUESTS/calc.elf"
	for engine in $(engines); do
		for call in pread64 pwrite64; do
			# The process engine alone has pages to write by a call.
			[ "$call $engine" != 'pwrite64 kvm' ] || continue
			for how in error=EINTR:when=1 error=EINTR:when=1+2; do
				capture strace -qq -o record -e "inject=$call:$how" "$NUBRUN" restore --engine "$engine" --call add --repeat 3 --reset calc.snap 1 2 </dev/null
				ended 0 ok
				[ "$output" = 3 ]
				grep -q "^$call.*INJECTED" record
			done
		done
	done
}

@test "without: a file system that has no files without a name" {
	local n
	needs_kvm
	record snapshot -o out.snap "$GUESTS/hello.elf"
	n=$(place openat O_TMPFILE)
	[ -n "$n" ]
	hide "openat:error=EOPNOTSUPP:when=$n" snapshot -o out.snap "$GUESTS/hello.elf"
	[ "$goes_on" = yes ]
	"$NUBRUN" inspect --verify out.snap >/dev/null
	[ "$(find . -name '.out*')" = "" ]
}

@test "without: each capability and each request of a virtual machine" {
	local line what n tried=0
	only_kvm
	"$NUBRUN" snapshot -q --engine process -o calc.snap "$GUESTS/calc.elf"
	while read -r line; do
		eval "local -a args=($line)"
		record "${args[@]}"
		while read -r n what; do
			echo "$what"
			case $what in
			*KVM_CAP_*) hide "ioctl:retval=0:when=$n" "${args[@]}" ;;
			*) hide "ioctl:error=EINVAL:when=$n" "${args[@]}" ;;
			esac
			tried=$((tried + 1))
		done < <(grep '^ioctl' record | sed -nE 's/^ioctl\([^,]*, ([A-Z0-9_]+)(, (KVM_CAP_[A-Z0-9_]+))?.*/\1 \3/p' | awk '{ print NR, $0 }' | sort -u -k 2)
	done < <(commands)
	[ "$tried" -gt 20 ]
}
