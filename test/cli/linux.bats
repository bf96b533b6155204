#!/usr/bin/env bats
# `nubrun run` of Linux programs: what they print and how they end is what they do without nubrun; files, environment and limits
# are those of the command line.

load helper

PROGRAMS=${GUESTS%/guests}/test/linux

setup() {
	needs_kvm
}

# A program does the same under nubrun as by itself.
same() { # PROGRAM [NUB-OPTION...]
	local program=$1 expected code=0
	shift
	expected=$("$program") || code=$?
	nub run "$@" "$program"
	[ "$status" -eq "$code" ]
	[ "$output" = "$expected" ]
}

@test "linux: threads share the vCPU, wait for each other and are preempted" {
	same "$PROGRAMS/threads"
	same "$PROGRAMS/threads" --slice 200us
	same "$PROGRAMS/threads.dynamic" --rootfs /
}

@test "linux: locks, signals and timers do what they do without nubrun" {
	same "$PROGRAMS/locks"
	same "$PROGRAMS/signals"
	same "$PROGRAMS/timers"
	same "$PROGRAMS/locks.dynamic" --rootfs /
	same "$PROGRAMS/signals.dynamic" --rootfs /
}

@test "linux: signals that rain on threads leave each its registers" {
	same "$PROGRAMS/storm"
	same "$PROGRAMS/storm" --slice 1ms
}

@test "linux: threads that are preempted lose nothing of what they copy" {
	same "$PROGRAMS/heap"
	same "$PROGRAMS/heap.dynamic" --rootfs /
}

@test "linux: with a seed threads switch at calls alone, and end the same way" {
	same "$PROGRAMS/locks" --seed 1
	same "$PROGRAMS/signals" --seed 1
}

@test "linux: threads that wait for each other for good are a crash that says where" {
	nub run "$PROGRAMS/deadlock"
	ended 134 guest-crash
	[ "$(field .crash.kind)" = deadlock ]
	[[ $(field .crash.message) == "all 2 threads wait"*"thread 1000 'deadlock' in futex(0x"*") at 0x"* ]]
	[[ $(field .crash.message) == *"thread 1001 'other way' in futex(0x"*") at 0x"* ]]
}

@test "linux: faults are signals, and memory has the rights that the program gave it" {
	same "$PROGRAMS/faults"
	same "$PROGRAMS/faults.dynamic" --rootfs /
	same "$PROGRAMS/faults" --memory 24M
}

@test "linux: mappings of one file show each other what is written, as long as there are any" {
	same "$PROGRAMS/shared"
	same "$PROGRAMS/shared.dynamic" --rootfs /
}

@test "linux: clocks go on, never back, and are read without leaving the program" {
	same "$PROGRAMS/clock"
	[ "$(field .exits.call)" -lt 60 ]
	same "$PROGRAMS/clock.dynamic" --rootfs /
}

@test "linux: busybox runs as it is" {
	local busybox
	busybox=$(command -v busybox)
	nub run "$busybox" echo hi
	ended 0 ok
	[ "$output" = hi ]
	[ "$(field .guest.type)" = linux ]
	nub run "$busybox" sh -c 'x=$((6 * 7)); echo $x; exit 5'
	ended 5 guest-exit
	[ "$output" = 42 ]
	printf 'b\na\n' >"$BATS_TEST_TMPDIR/lines"
	nub run "$busybox" sort <"$BATS_TEST_TMPDIR/lines"
	[ "$output" = $'a\nb' ]
}

@test "linux: a dynamic program gets its interpreter through a grant, or is told which" {
	nub run --rootfs / /bin/ls -d /bin
	ended 0 ok
	[ "$output" = /bin ]
	nub run /bin/ls
	refused 126 elf-interpreter '*needs the interpreter /lib64/ld-linux-x86-64.so.2*'
}

@test "linux: a program begins with the umask that nubrun was started with" {
	local busybox dir=$BATS_TEST_TMPDIR/made
	busybox=$(command -v busybox)
	mkdir "$dir"
	umask 027
	nub run --dir "$dir:/made:rw" "$busybox" sh -c 'umask; : >/made/one; umask 077; : >/made/two'
	ended 0 ok
	[ "$output" = 0027 ]
	[ "$(stat -c %a "$dir/one" "$dir/two" | tr '\n' ' ')" = '640 600 ' ]
}

@test "linux: nothing of the host is there but what was granted" {
	local busybox dir=$BATS_TEST_TMPDIR/dir
	busybox=$(command -v busybox)
	mkdir "$dir"
	echo inside >"$dir/file"
	echo outside >"$BATS_TEST_TMPDIR/secret"
	ln -s ../secret "$dir/link"
	nub run "$busybox" cat "$dir/file"
	ended 1 guest-exit
	nub run --dir "$dir:/data" "$busybox" cat /data/file
	ended 0 ok
	[ "$output" = inside ]
	nub run --dir "$dir:/data" "$busybox" cat /data/link
	ended 1 guest-exit
	nub run --dir "$dir:/data" "$busybox" cat /data/../secret
	ended 1 guest-exit
	nub run --dir "$dir:/data" "$busybox" touch /data/new
	ended 1 guest-exit
	nub run --dir "$dir:/data:rw" "$busybox" touch /data/new
	ended 0 ok
	[ -e "$dir/new" ]
	nub run --file "$BATS_TEST_TMPDIR/secret:/s" "$busybox" cat /s
	[ "$output" = outside ]
}

@test "linux: the environment is what --env says" {
	local busybox
	busybox=$(command -v busybox)
	HANDED=on nub run --env A=b --env HANDED --env NOT_SET_HERE "$busybox" env
	ended 0 ok
	[ "$output" = $'A=b\nHANDED=on' ]
}

@test "linux: --strace tells of each call, --strict ends at one that is not served" {
	local busybox
	busybox=$(command -v busybox)
	nub run --strace "$BATS_TEST_TMPDIR/trace" "$busybox" echo hi
	ended 0 ok
	grep -q '^write(1, "hi\\n", 3) = 3 <0\.[0-9]*>$' "$BATS_TEST_TMPDIR/trace"
	grep -q '^exit_group(0) = ? <' "$BATS_TEST_TMPDIR/trace"
	nub run --strict "$busybox" unshare -n true
	ended 134 guest-crash
	[ "$(field .crash.kind)" = unsupported ]
}

@test "linux: a program sets the terminal that it was given" {
	local engine run stty
	stty="$(command -v busybox) stty"
	for engine in $(engines); do
		run="$(printf '%q ' "$NUBRUN" run -q --engine "$engine") $stty"
		capture script -qec "$run -echo && $stty -a && $run echo && $stty -a" /dev/null </dev/null
		[ "$status" -eq 0 ]
		[[ $output == *" -echo "*" echo "* ]]
	done
}

@test "linux: time-outs and signals end a program that waits and one that runs" {
	local busybox
	busybox=$(command -v busybox)
	nub run --timeout 200ms "$busybox" sleep 60
	ended 124 timeout
	nub run --timeout 200ms "$busybox" sh -c 'while :; do :; done'
	ended 124 timeout
}

@test "linux: a signal that a program does not handle is a crash that names it" {
	nub run "$PROGRAMS/threads" </dev/null
	ended 0 ok
	nub run "$(command -v busybox)" sh -c 'kill -SEGV $$'
	ended 134 guest-crash
	[[ $(field .crash.message) == *SIGSEGV* ]]
}

@test "linux: memory that is used up is told with what to give" {
	nub run --memory 4M "$PROGRAMS/hog"
	ended 134 guest-crash
	[ "$(field .crash.kind)" = memory ]
	[[ $(field .crash.message) == *'all of 4 MiB is in use'* ]]
}

@test "linux: CPython is frozen when its modules are loaded, and each copy works on its own input" {
	[ -x /usr/bin/python3 ] || skip "no /usr/bin/python3"
	local snap=$BATS_TEST_TMPDIR/python.snap random
	cat >"$BATS_TEST_TMPDIR/total.py" <<-'END'
		import decimal, json, os, re, sqlite3, sys
		base = sqlite3.connect(":memory:")
		base.execute("create table prices (name text, price text)")
		base.executemany("insert into prices values (?, ?)", [("pear", "0.10"), ("plum", "1.05")])
		order = re.compile(r"(\d+) (\w+)")
		print("ready", flush=True)
		total = decimal.Decimal(0)
		for line in json.load(sys.stdin)["orders"]:
		    count, name = order.fullmatch(line).groups()
		    price, = base.execute("select price from prices where name = ?", (name,)).fetchone()
		    total += int(count) * decimal.Decimal(price)
		print(json.dumps({"total": str(total)}))
		print(os.urandom(16).hex())
	END
	nub snapshot -o "$snap" --rootfs / --file "$BATS_TEST_TMPDIR/total.py:/tmp/total.py" --until-output ready \
		/usr/bin/python3 /tmp/total.py </dev/null
	ended 0 ok
	[ "$output" = ready ]
	nub restore --rootfs / --file "$BATS_TEST_TMPDIR/total.py:/tmp/total.py" "$snap" <<<'{"orders": ["3 pear", "2 plum"]}'
	ended 0 ok
	[ "${lines[0]}" = '{"total": "2.40"}' ]
	[[ ${lines[1]} =~ ^[0-9a-f]{32}$ ]]
	random=${lines[1]}
	nub restore --rootfs / --file "$BATS_TEST_TMPDIR/total.py:/tmp/total.py" "$snap" <<<'{"orders": ["7 plum"]}'
	ended 0 ok
	[ "${lines[0]}" = '{"total": "7.35"}' ]
	[[ ${lines[1]} =~ ^[0-9a-f]{32}$ ]]
	[ "${lines[1]}" != "$random" ]
}

@test "linux: a crash leaves a core with every thread, and says which memory it was about" {
	local core=$BATS_TEST_TMPDIR/core
	nub run --core "$core" "$PROGRAMS/deadlock"
	ended 134 guest-crash
	[ "$(field .crash.core)" = "$core" ]
	capture gdb -batch -ex 'info threads' -ex 'thread apply all backtrace' "$PROGRAMS/deadlock" "$core"
	[[ $output == *'LWP 1000'*'LWP 1001'* ]]
	[[ $output == *take_the_other_way* ]]
	[[ $output == *' main '* ]]
	nub run --memory 4M --core "$core" "$PROGRAMS/hog"
	ended 134 guest-crash
	[ "$(field .crash.region.type)" = Heap ]
	capture "$NUBRUN" dump "$core"
	[ "$status" -eq 0 ]
	[[ $output == *heap* ]]
}

@test "linux: a crash names the functions of the program and of its libraries, thawed or not" {
	local snap=$BATS_TEST_TMPDIR/crash.snap program=$BATS_TEST_TMPDIR/crash
	cat >"$program.c" <<-'END'
		#include <stdio.h>
		#include <stdlib.h>
		__attribute__((noinline)) static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)(b ? 8L : 0L); }
		int main(void)
		{
			int numbers[] = { 3, 1, 2 };
			puts("ready");
			fflush(stdout);
			qsort(numbers, 3, sizeof(*numbers), compare);
			return numbers[0];
		}
	END
	gcc -O1 -Wl,--build-id -o "$program" "$program.c"
	nub run --rootfs / "$program"
	ended 134 guest-crash
	holds '.crash.backtrace | map(.symbol // "") | .[0] == "compare" and any(startswith("qsort")) and index("main") != null' "$json"
	[[ $(field .crash.message) == *'SIGSEGV, at compare+0x'* ]]
	[ "$(field .crash.address)" = 0x8 ]
	nub snapshot -o "$snap" --rootfs / --until-output ready "$program"
	ended 0 ok
	nub restore --rootfs / "$snap"
	ended 134 guest-crash
	holds '.crash.backtrace | map(.symbol // "") | .[0] == "compare" and any(startswith("qsort")) and index("main") != null' "$json"
}
