#!/usr/bin/env bats
# Evidence of guests that fail: cores that gdb opens (--core, --core-dir, SIGQUIT), and what the status tells of it.

load helper

setup() {
	needs_kvm
	cd "$BATS_TEST_TMPDIR"
}

# gdb's answers about a guest's file and a core.
ask_gdb() { # GUEST CORE COMMAND...
	local -a commands=()
	local guest=$1 core=$2 command
	shift 2
	for command; do commands+=(-ex "$command"); done
	gdb -nx -batch -iex 'set debuginfod enabled off' "${commands[@]}" "$guest" "$core" >gdb.out 2>gdb.err
	cat gdb.out gdb.err
}

# The line of a file in which a text stands.
line_of() { # FILE TEXT
	grep -nF "$2" "$ROOT/$1" | head -n 1 | cut -d: -f1
}

# A frame of a backtrace: number, function, and the line that has this text.
frame_is() { # NUMBER FUNCTION FILE TEXT
	grep -qE "^#$1 .*\b$2 \(.*\) at $3:$(line_of "$3" "$4")\$" gdb.out
}

# No two neighbours among the regions could be one.
all_joined() { # JSON-FILE
	python3 - "$1" <<-'END'
		import json, sys
		regions = json.load(open(sys.argv[1]))["regions"]
		assert len(regions) > 7
		for a, b in zip(regions, regions[1:]):
		    assert not (all(a[k] == b[k] for k in ("type", "flags", "space"))
		                and all(int(a[k], 16) + a["size"] == int(b[k], 16) for k in ("gva", "gpa"))), (a, b)
	END
}

@test "core: every way to fail leaves one that gdb opens, with the signal that Linux would have sent" {
	local way signal
	while read -r way signal; do
		nub run --core core "$GUESTS/crash.elf" "$way"
		ended 134 guest-crash
		[ "$(field .crash.core)" = core ]
		ask_gdb "$GUESTS/crash.elf" core bt
		grep -qF "terminated with signal $signal," gdb.out
		grep -qE "in main \(.*\) at guests/crash.c:$(line_of guests/crash.c 'if (argc > 1 && crash(argv[1]))')" gdb.out
		rm core
	done <<-END
		null SIGSEGV
		guard SIGSEGV
		write-code SIGSEGV
		exec-heap SIGSEGV
		exec-null SIGSEGV
		ud2 SIGILL
		div0 SIGFPE
		int3 SIGTRAP
		privileged SIGSEGV
		bad-port SIGSYS
		abort-message SIGABRT
		assert SIGABRT
	END
}

@test "core: at CPL 0, triple fault, hlt, memory that is not there and broken page tables leave one, too (R32)" {
	only_kvm
	local seed=0 kind lost
	for kind in triple-fault halted no-memory triple-fault; do
		nub run --seed $((++seed)) --timeout "$(slow 5)s" --core core "$TEST_GUESTS/kernel-fails.elf"
		if [ "$seed" -eq 4 ] && [ -d /sys/module/kvm_amd ] && [ "$status" -eq 124 ]; then
			# Where the exception can't be delivered, the KVM of Linux 6.1 tries without end on an AMD CPU.
			kind=timeout
		else
			ended 134 guest-crash
		fi
		[ "$(field .crash.kind)" = "$kind" ]
		lost=false
		if [ "$kind" = triple-fault ] && [ -d /sys/module/kvm_amd ]; then
			# KVM does not keep the registers there.
			lost=true
			holds '.crash | .rip == null and .registers == null and .backtrace == [] and (has("symbol") | not)' "$json"
			[[ $(field .crash.message) == "triple fault"*KVM* ]]
		fi
		nub dump core
		if $lost; then
			[[ $output != *registers* ]]
		else
			[[ $output == *registers*"call stack"*fail* ]]
			ask_gdb "$TEST_GUESTS/kernel-fails.elf" core bt
			grep -qE '^#[01] .*fail \(.*kernel-fails.c' gdb.out
		fi
		nub dump --json core
		holds ".registers == null | . == $lost" "$output"
		[ "$(jq -r '.crash.kind // .reason' <<<"$output")" = "$kind" ]
		[ "$(jq '[.regions[] | select(.type == "PageTables")] | length' <<<"$output")" -eq $((seed < 4)) ]
	done
	# With its page tables gone, the memory is there as it is.
	[ "$(jq -r '[.regions[].type] | join(" ")' <<<"$output")" = "Snapshot Scratch" ]
}

@test "core: functions, lines, memory and registers are those of the fault, AVX and FS included" {
	local guest=$TEST_GUESTS/known-registers.elf file=test/guests/known-registers.c
	nub run --core core "$guest"
	ended 134 guest-crash
	ask_gdb "$guest" core bt 'p/x $ymm5.v4_int64' 'p/x $fs_base' 'p/x counter' 'p/x $rax' 'p/x $cs' 'p $_siginfo.si_signo' \
		'x/i $rip'
	frame_is 0 innermost $file '__asm__ volatile'
	grep -qE "^#1 .* in middle \(.*\) at $file:$(line_of $file 'counter++;')" gdb.out ||
		frame_is 1 middle $file 'calls innermost'
	grep -qE '^#2 .* in outer ' gdb.out
	grep -qE '^#3 .* in main ' gdb.out
	grep -qF '{0x1111111111111111, 0x2222222222222222, 0x3333333333333333, 0x4444444444444444}' gdb.out
	grep -qF '= 0x123456789000' gdb.out
	grep -qF '= 0x5ca1ab21' gdb.out
	grep -qF '= 0xfeedface' gdb.out
	grep -qF '= 0x33' gdb.out
	grep -qE '^=> .*ud2' gdb.out
}

@test "core: a static PIE's symbols are where it was put" {
	nub run --core core "$GUESTS/crash.pie.elf" write-code
	ended 134 guest-crash
	ask_gdb "$GUESTS/crash.pie.elf" core bt 'info symbol $rip' 'p (char *)ways[3].name' 'info auxv'
	frame_is 0 write_code guests/crash.c '*hide((uintptr_t)write_code)'
	grep -qE '^write_code( \+ [0-9]+)? in section' gdb.out
	grep -qF '"write-rodata"' gdb.out
	grep -qE 'AT_ENTRY .* 0x5001400' gdb.out
}

@test "core: both copy policies, fresh or restored, tell the same of the same crash (R32)" {
	local cow core
	for cow in host guest; do
		nub run --cow "$cow" --core "fresh.$cow" "$GUESTS/crash.elf" write-rodata
		ended 134 guest-crash
		nub snapshot --cow "$cow" -o "snap.$cow" "$GUESTS/crash.elf"
		ended 0 ok
		nub restore --core "restored.$cow" "snap.$cow" write-rodata
		ended 134 guest-crash
		for core in "fresh.$cow" restored.$cow; do
			ask_gdb "$GUESTS/crash.elf" "$core" bt 'p (char *)ways[3].name'
			grep -v '^\[New\|^Core was' gdb.out >"$core.told"
			frame_is 0 write_rodata guests/crash.c '*hide((uintptr_t)constant)'
			"$NUBRUN" dump --json "$core" >"$core.json"
			all_joined "$core.json"
			# What the guest was given has the same place, size, rights and type, however often it was copied.
			jq -r '.regions[] | select(.type != "Scratch") | "\(.type) \(.flags) \(.size)"' "$core.json" |
				awk '{ sum[$1 " " $2] += $3 } END { for (k in sum) print k, sum[k] }' | sort >"$core.sums"
		done
		cmp "fresh.$cow.sums" "restored.$cow.sums"
	done
	cmp fresh.host.sums fresh.guest.sums
	# A restored run has its argument elsewhere.
	diff <(grep '^#' fresh.host.told | sed 's/=0x[0-9a-f]*/=/') <(grep '^#' restored.guest.told | sed 's/=0x[0-9a-f]*/=/')
}

@test "core: a guest out of time leaves one, and the status says where it was" {
	nub run --timeout "$(slow 200)ms" --core core "$GUESTS/spin.elf"
	ended 124 timeout
	[ "$(field .crash.kind)" = timeout ]
	[[ $(field .crash.symbol) == main* ]]
	[ "$(field '.crash.backtrace[0].symbol')" = main ]
	[ "$(field '.crash.registers | length')" -eq 18 ]
	ask_gdb "$GUESTS/spin.elf" core bt
	grep -qF 'terminated with signal SIGALRM,' gdb.out
	grep -qE '^#0 .*main \(.*\) at guests/spin.c' gdb.out
	nub inspect core
	[[ $output == *'core of a guest that had no time left'* ]]
}

@test "core: SIGQUIT makes one, the guest goes on, and the next has another name" {
	local pid count
	mkdir cores
	"$NUBRUN" run --timeout "$(slow 3)s" --core-dir cores "$GUESTS/spin.elf" >out 2>err &
	pid=$!
	# The guest says so when it is in its loop.
	while ! grep -q spinning out; do
		kill -0 "$pid" || return 1
		sleep 0.01
	done
	for count in 1 2; do
		while [ "$(grep -c 'nubrun: core: ' err || true)" -lt "$count" ]; do
			kill -QUIT "$pid" || return 1
			pause 0.3
		done
	done
	local status=0
	wait "$pid" || status=$?
	[ "$status" -eq 124 ]
	# shellcheck disable=SC2034 # for field
	json=$(tail -n 1 err)
	[ "$(field .status)" = timeout ]
	[ "$(field '.cores[0]')" = "cores/spin.elf.$pid.core" ]
	[ "$(field '.cores[1]')" = "cores/spin.elf.$pid.2.core" ]
	ask_gdb "$GUESTS/spin.elf" "cores/spin.elf.$pid.core" bt
	grep -qF 'terminated with signal SIGQUIT,' gdb.out
	grep -qE '^#0 .*main ' gdb.out
	nub dump --json "cores/spin.elf.$pid.2.core"
	[ "$(jq -r '.reason + " " + (.crash | tostring)' <<<"$output")" = "request null" ]
}

@test "core: without --core, SIGQUIT ends nubrun as ever" {
	# A shell has its background jobs ignore SIGQUIT.
	(ulimit -c 0; exec env --default-signal=QUIT "$NUBRUN" run --timeout "$(slow 5)s" "$GUESTS/spin.elf") >out 2>err &
	local pid=$! status=0
	# The guest says so when it has begun; its time-out ends a wait for nothing.
	while ! grep -q spinning out; do
		kill -0 "$pid" || return 1
		sleep 0.05
	done
	kill -QUIT "$pid"
	wait "$pid" || status=$?
	[ "$status" -eq 131 ]
}

@test "core: a broken ring is in it as it was when it was read (R9 R36)" {
	nub run --core core "$TEST_GUESTS/corrupt-ring.elf" sp-huge
	ended 134 guest-crash
	[ "$(field .crash.kind)" = abi ]
	local scratch
	scratch=$("$NUBRUN" dump --json core | jq -r '[.regions[] | select(.type == "Scratch")][0].gva')
	# The output ring follows the input ring of 64 KiB.
	nub dump --read "$(printf '0x%x' $((scratch + 65536))):16" core
	[[ $output == *"  ff ff ff ff ff ff ff ff  61 76 65 72 74 65 64 21 "* ]]
}

@test "core: scratch that is full leaves one (cow=guest)" {
	nub run --cow guest --scratch 448K --stack 2M --core core "$GUESTS/crash.elf" recursion
	ended 134 guest-crash
	[ "$(field .crash.kind)" = scratch-full ]
	ask_gdb "$GUESTS/crash.elf" core 'bt 3'
	grep -qF 'terminated with signal SIGBUS,' gdb.out
	grep -qE '^#0 .*recurse' gdb.out
}

@test "core: readelf and eu-readelf find nothing wrong with it" {
	nub run --core core "$GUESTS/crash.pie.elf" ud2
	ended 134 guest-crash
	LC_ALL=C readelf -aW core >out 2>err
	[ ! -s err ]
	[ "$(grep -ciE 'warning|error|corrupt' out)" -eq 0 ]
	LC_ALL=C eu-readelf -a core >out 2>err
	[ ! -s err ]
	grep -qF 'fname: crash.pie.elf' out
	grep -qE 'ENTRY: 0x500140' out
	[ "$(eu-readelf -n core | grep -cE '^  (CORE|LINUX|nub) ')" -eq 8 ]
}

@test "core: gdb knows which part of the guest's file is where, with both kinds of guest, and of a snapshot" {
	local guest base core segments
	for guest in crash.elf crash.pie.elf; do
		base=0x400000
		[ "$guest" = crash.elf ] || base=0x500140000000
		nub run --core run.core "$GUESTS/$guest" null
		nub snapshot -o snap "$GUESTS/$guest"
		nub restore --core restore.core snap null
		nub dump --core dump.core snap
		segments=$(LC_ALL=C readelf -lW "$GUESTS/$guest" | grep -cE '^ +LOAD +.*0x')
		for core in run restore dump; do
			ask_gdb "$GUESTS/$guest" "$core.core" 'info proc mappings' 'info symbol _start'
			[ "$(grep -cE "^ +0x[0-9a-f]+ +0x[0-9a-f]+ +0x[0-9a-f]+ +0x[0-9a-f]+ $GUESTS/$guest\$" gdb.out)" -eq "$segments" ]
			grep -qE "^ +$base +$(printf '0x%x' $((base + 0x1000))) +0x1000 +0x0 " gdb.out
			grep -qE "^ +$(printf '0x%x' $((base + 0x1000))) +0x[0-9a-f]+ +0x[0-9a-f]+ +0x1000 " gdb.out
			grep -q '^_start in section .text' gdb.out
			[ "$(eu-readelf -n "$core.core" | grep -cE "^  +0*${base#0x}-[0-9a-f]+ 0+ 4096 +$GUESTS/$guest\$")" -eq 1 ]
		done
	done
}

@test "core: ELF headers that a guest wrote over are no harm" {
	nub snapshot -o snap "$GUESTS/crash.pie.elf"
	# Where the snapshot has them, at gpa 0x1000: the number of program headers, and what is in them.
	python3 - snap <<-'END'
		import sys
		with open(sys.argv[1], "r+b") as file:
		    file.seek(0x1000 + 56)
		    file.write(b"\xff\xff")
		    file.seek(0x1000 + 64 + 8)
		    file.write(b"\xff" * 48 + (1).to_bytes(4, "little") + b"\x04\0\0\0" + b"\1" * 40)
	END
	nub dump --core core snap
	[ "$status" -eq 0 ]
	ask_gdb "$GUESTS/crash.pie.elf" core 'info proc mappings' 'info registers rip'
	grep -q '^rip ' gdb.out
	LC_ALL=C eu-readelf -n core >out
	nub dump core
	[ "$status" -eq 0 ]
}

@test "core: 15 GiB of heap make a small file, soon" {
	local start=$EPOCHREALTIME end
	nub run --heap 15G --core core "$GUESTS/crash.elf" ud2
	end=$EPOCHREALTIME
	ended 134 guest-crash
	[ "$(stat -c %s core)" -gt 16000000000 ]
	[ "$(du -k core | cut -f1)" -lt 1024 ]
	((${end/./} - ${start/./} < $(slow 5000000)))
	ask_gdb "$GUESTS/crash.elf" core bt
	frame_is 0 ud2 guests/crash.c '"ud2"'
	nub snapshot --heap 15G -o snap "$GUESTS/crash.elf"
	nub restore --core restored snap ud2
	ended 134 guest-crash
	[ "$(du -k restored | cut -f1)" -lt 1024 ]
}

@test "core: what the guest wrote is in it, the pages that it did not are holes" {
	head -c 3000000 /dev/urandom >data
	nub run --init-data data --core core "$GUESTS/initdata.elf" write
	ended 134 guest-crash
	local gva
	gva=$("$NUBRUN" dump --json core | jq -r '.regions[] | select(.type == "InitData").gva')
	nub dump --raw --read "$gva:3000000" core
	"$NUBRUN" dump --raw --read "$gva:3000000" core | cmp - data
	[ "$(du -k core | cut -f1)" -lt 3300 ]
}

@test "core: a mapped file is in it" {
	seq 100000 >table
	nub run --map table@0x10000000:table --timeout "$(slow 200)ms" --core core "$GUESTS/spin.elf"
	ended 124 timeout
	"$NUBRUN" dump --raw --read "0x10000000:$(stat -c %s table)" core | cmp - table
	nub dump --json core
	holds '.regions[] | select(.type == "MappedFile") | .gva == "0x10000000" and .flags == "R--"' "$output"
}

@test "core: where none can be written, the guest is not started" {
	nub run --core-dir missing "$GUESTS/hello.elf"
	refused 125 io '*--core-dir*missing*No such file*'
	[ -z "$output" ]
	nub run --core missing/core "$GUESTS/hello.elf"
	refused 125 io '*--core*missing/core*'
	nub run --core . "$GUESTS/hello.elf"
	refused 125 io '*--core*directory*'
	touch file
	nub run --core-dir file "$GUESTS/hello.elf"
	refused 125 io '*--core-dir*'
	nub run --core-dir /proc/self "$GUESTS/hello.elf"
	refused 125 io '*--core-dir*/proc/self*'
	nub run --core core --core-dir . "$GUESTS/hello.elf"
	refused 125 usage '*--core*--core-dir*'
	[ ! -e core ]
}

@test "core: a disk that fills up leaves no half file, and the crash is still told" {
	only_kvm
	echo old >core
	capture bash -c 'trap "" XFSZ; ulimit -f 16; exec "$@"' - "$NUBRUN" run --core core "$GUESTS/crash.elf" ud2
	ended 134 guest-crash
	[ "$(field '.crash.core')" = null ]
	[ "$(field '.crash.core_error.code')" = io ]
	[[ $(field '.crash.core_error.message') == *"File too large"* ]]
	[ "$(cat core)" = old ]
	[ "$(find . -name '*core*' | wc -l)" -eq 1 ]
}

@test "core: one that is there is replaced; a pipe gets all of it" {
	echo old >core
	nub run --core core "$GUESTS/crash.elf" ud2
	ended 134 guest-crash
	mkfifo pipe
	timeout "$(slow 30)" cat pipe >through &
	nub run --core pipe "$GUESTS/crash.elf" ud2
	wait $!
	[ -p pipe ]
	cmp <("$NUBRUN" dump core | tail -n +2) <("$NUBRUN" dump through | tail -n +2)
}

@test "core: a guest that does well leaves none" {
	mkdir cores
	nub run --core-dir cores "$GUESTS/hello.elf"
	ended 0 ok
	nub run --core-dir cores "$GUESTS/args.elf" a b
	ended 2 guest-exit
	[ -z "$(ls cores)" ]
	[ "$(field '.crash // .cores // "none"')" = none ]
}

@test "status: a crash has its call stack, the region in words and the last log records (R34 R35)" {
	nub run "$TEST_GUESTS/known-registers.elf"
	ended 134 guest-crash
	[ "$(field '[.crash.backtrace[0:4][].symbol] | join(" ")')" = "innermost middle outer main" ]
	[ "$(field '.crash.log | length')" -eq 1 ]
	[ "$(field '.crash.log[0].message')" = "about to trap 1" ]
	[ "$(field '.crash.core // "none"')" = none ]

	nub run "$GUESTS/crash.elf" guard
	[ "$(field .crash.region.text)" = "in the stack's guard page" ]
	nub run "$GUESTS/crash.elf" null
	[ "$(field .crash.region.text)" = "in the null page" ]
	[ "$(field '[.crash.backtrace[].symbol] | join(" ")')" = \
		"null crash main serve_request rt_serve rt_start _start" ]
}

@test "status: a guest's names come from its file, which a pipe is read whole for, and one without a build id" {
	local file writer
	objcopy --remove-section .note.gnu.build-id "$GUESTS/crash.elf" plain.elf
	mkfifo pipe
	for file in "$GUESTS/crash.elf" plain.elf pipe /dev/stdin; do
		[ "$file" != pipe ] || cat "$GUESTS/crash.elf" >pipe &
		writer=$!
		nub run "$file" ud2 <"$GUESTS/crash.elf"
		ended 134 guest-crash
		[ "$(field '[.crash.backtrace[0:3][].symbol] | join(" ")')" = "ud2 crash main" ]
		wait "$writer" || true
	done
}

@test "status: names are not taken from a file that was replaced while the guest ran" {
	cp "$TEST_GUESTS/pages.elf" guest.elf
	cp "$GUESTS/hello.elf" other.elf
	nub run --host-fn 'meanwhile=mv other.elf guest.elf; echo null' --call crash_meanwhile guest.elf
	ended 134 guest-crash
	[ "$(field '.crash.backtrace | all(.symbol == null)')" = true ]
	# The confinement lets only the old file be read.
	[ "$(field .crash.symbols_missing)" = "guest.elf: Permission denied" ]
	cp "$TEST_GUESTS/pages.elf" guest.elf
	cp "$GUESTS/hello.elf" other.elf
	nub run --no-confine --host-fn 'meanwhile=mv other.elf guest.elf; echo null' --call crash_meanwhile guest.elf
	ended 134 guest-crash
	[ "$(field '.crash.backtrace | all(.symbol == null)')" = true ]
	[ "$(field .crash.symbols_missing)" = "guest.elf: is another file now, its build id is not the guest's" ]
}

@test "status: a restored guest's call stack has its names as long as the ELF file is the same" {
	cp "$GUESTS/crash.elf" guest.elf
	nub snapshot -o snap guest.elf
	nub restore snap ud2
	ended 134 guest-crash
	[ "$(field '[.crash.backtrace[0:3][].symbol] | join(" ")')" = "ud2 crash main" ]
	[ "$(field '.crash.symbols_missing // "none"')" = none ]
	cp "$GUESTS/hello.elf" guest.elf
	nub restore snap ud2
	ended 134 guest-crash
	[ "$(field '[.crash.backtrace[].symbol] | all(. == null)')" = true ]
	[ "$(field .crash.symbols_missing)" = "$PWD/guest.elf: is another file now, its build id is not the guest's; guest.elf: is another file now, its build id is not the guest's" ]
	rm guest.elf
	nub restore snap ud2
	ended 134 guest-crash
	[[ $(field .crash.symbols_missing) == "$PWD/guest.elf: No such file or directory; guest.elf: "* ]]
	script -qec "'$NUBRUN' restore snap ud2" /dev/null >terminal || true
	grep -qF "; no symbols: $PWD/guest.elf: No such file or directory" terminal
}

@test "status: a restored guest's ELF file is found from any folder, and beside the snapshot it was moved with" {
	mkdir here elsewhere moved
	cp "$GUESTS/crash.elf" here/guest.elf
	(cd here && ln -s guest.elf link.elf && "$NUBRUN" snapshot -q -o snap link.elf)
	cd elsewhere
	nub restore ../here/snap ud2
	ended 134 guest-crash
	[ "$(field .guest.path)" = "$(realpath ../here/guest.elf)" ]
	[ "$(field '.crash.backtrace[0].symbol')" = ud2 ]
	[ "$(field '.crash | has("symbols_file") or has("symbols_missing")')" = false ]
	cd "$BATS_TEST_TMPDIR"
	mv here/snap here/guest.elf moved
	nub restore --core core moved/snap ud2
	[ "$(field '.crash.backtrace[0].symbol')" = ud2 ]
	[ "$(field .crash.symbols_file)" = moved/guest.elf ]
	# A core names the file that there is.
	nub dump --json core
	[ "$(jq -r .guest.path <<<"$output")" = "$(realpath moved/guest.elf)" ]
	nub dump --json moved/snap
	[ "$(jq -r .guest.symbols_file <<<"$output")" = moved/guest.elf ]
	nub dump moved/snap
	grep -qE '^symbols +moved/guest.elf$' <<<"$output"
	nub dump --core snap.core moved/snap
	nub dump --json snap.core
	[ "$(jq -r .guest.path <<<"$output")" = "$(realpath moved/guest.elf)" ]
	mkdir again
	mv core moved/guest.elf again
	nub inspect --json again/core
	[ "$(jq -r '.backtrace[0].symbol' <<<"$output")" = ud2 ]
	[ "$(jq -r .guest.symbols_file <<<"$output")" = again/guest.elf ]
	# Beside it another one, and from a pipe nothing is beside it.
	cp "$GUESTS/hello.elf" moved/guest.elf
	nub restore moved/snap ud2
	[[ $(field .crash.symbols_missing) == *"No such file or directory; moved/guest.elf: is another file now"* ]]
	cp again/guest.elf guest.elf
	nub restore - ud2 <moved/snap
	[[ $(field .crash.symbols_missing) == *"/here/guest.elf: No such file or directory" ]]
}

@test "status: a snapshot with a relative path, as older ones have, finds its file by it" {
	cp "$GUESTS/crash.elf" guest.elf
	nub snapshot -o snap guest.elf
	mkdir folder
	mv snap folder
	# Of the same length, so that nothing else moves.
	python3 - folder/snap "$PWD/guest.elf" <<-'END'
		import sys
		data = open(sys.argv[1], "rb").read()
		old = sys.argv[2].encode()
		assert data.count(old) == 1
		open(sys.argv[1], "wb").write(data.replace(old, b"." + b"/" * (len(old) - 10) + b"guest.elf"))
	END
	"$TEST_TOOLS/reseal" folder/snap
	nub restore folder/snap ud2
	ended 134 guest-crash
	[[ $(field .guest.path) == .//*/guest.elf ]]
	[ "$(field '.crash.backtrace[0].symbol')" = ud2 ]
	cd folder
	nub restore snap ud2
	[[ $(field .crash.symbols_missing) == .//*/"guest.elf: No such file or directory; guest.elf: "* ]]
}
