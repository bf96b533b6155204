#!/usr/bin/env bats
# The sample guests: what each prints, to the byte where that is the same everywhere, as ET_EXEC and as static PIE.

load helper

setup() {
	needs_kvm
}

# Run both kinds of a guest: exit code, stdout.
says() { # NAME EXIT-CODE STDOUT [ARG...]
	local name=$1 code=$2 expected=$3 kind
	shift 3
	for kind in elf pie.elf; do
		nub run "$GUESTS/$name.$kind" "$@"
		[ "$status" -eq "$code" ]
		[ "$output" = "$expected" ]
	done
}

# Call a function of both kinds of a guest: its result as JSON.
gives() { # NAME FUNCTION RESULT [ARG...]
	local name=$1 function=$2 expected=$3 kind
	shift 3
	for kind in elf pie.elf; do
		nub run --call "$function" "$GUESTS/$name.$kind" "$@"
		ended 0 ok
		[ "$output" = "$expected" ]
	done
}

@test "guests: every sample guest is run by a test" {
	local guest name
	for guest in "$ROOT"/guests/*.c; do
		name=$(basename "$guest" .c)
		echo "$name"
		grep -qE "^	*(says|gives|crashes|nub run .*/)[\" ]*$name|guests/$name|GUESTS/$name" "$ROOT"/test/cli/*.bats
		[ -f "$GUESTS/$name.elf" ]
		[ -f "$GUESTS/$name.pie.elf" ]
	done
}

@test "guests: hello, args, echo (R16 R24)" {
	says hello 0 'Hello from the guest!'
	says hello 0 'Hello from the guest!' ignored
	says echo 0 'one two  three' one two '' three
	says echo 0 ''
	local kind
	for kind in elf pie.elf; do
		nub run "$GUESTS/args.$kind" a '' '"'
		ended 3 guest-exit
		[ "$output" = "argc = 4
argv[0] = \"$GUESTS/args.$kind\"
argv[1] = \"a\"
argv[2] = \"\"
argv[3] = \"\"\"" ]
	done
}

@test "guests: args takes more arguments than fit its stack's array, and long ones" {
	local many long
	mapfile -t many < <(seq 1 200)
	long=$(head -c 30000 /dev/zero | tr '\0' x)
	nub run "$GUESTS/args.elf" "${many[@]}"
	[ "$status" -eq 200 ]
	[ "${lines[-1]}" = 'argv[200] = "200"' ]
	nub run "$GUESTS/args.elf" "$long" end
	[ "$status" -eq 2 ]
	[ "${lines[2]}" = "argv[1] = \"$long\"" ]
	[ "${lines[3]}" = 'argv[2] = "end"' ]
}

@test "guests: compute computes the same everywhere" {
	says compute 0 '1000 rounds: 1fa28ebe34ef02a3'
	says compute 0 '1 rounds: fff6adb767a7faad' 1
}

@test "guests: simd's vectors agree with its scalars; AVX is on where the host has it" {
	local kind wanted=absent wanted2=absent
	if grep -qw avx /proc/cpuinfo; then wanted=ok; fi
	if grep -qw avx2 /proc/cpuinfo; then wanted2=ok; fi
	for kind in elf pie.elf; do
		nub run "$GUESTS/simd.$kind"
		ended 0 ok
		[ "$output" = "avx: $wanted
avx2: $wanted2
dot: -1086.941, mix: fd639f91" ]
	done
}

@test "guests: checkpoint goes on at each one, when nobody takes a snapshot" {
	local expected step kind
	expected=$(for step in {0..11}; do echo "step $step: goes on"; done; echo 'done')
	says checkpoint 0 "$expected"
	[ "$(field .exits.checkpoint)" -eq 12 ]
}

@test "guests: two-spaces sees its own page in each space, and the shared one in both" {
	only_kvm
	local kind line
	for kind in elf pie.elf; do
		nub run --timeout "$(slow 20)" "$GUESTS/two-spaces.$kind"
		ended 0 ok
		[ "$(field .guest.privilege_level)" -eq 0 ]
		for line in 'private: second space starts empty' 'shared: second space sees the first' \
			'private: first space kept its own' 'shared: first space sees the second'; do
			grep -qFx "$line" <<<"$output"
		done
		[ "$(grep -cE 'leaked|lost|overwritten|differ' <<<"$output")" -eq 0 ]
	done
}

@test "guests: heap gets as much again after freeing, down to a heap of one page (R13)" {
	local kind size blocks
	for kind in elf pie.elf; do
		for size in 4096 8192 1048576 16777216; do
			nub run --heap "$size" "$GUESTS/heap.$kind"
			ended 0 ok
			blocks=${lines[0]#round 1: }
			[ "${blocks% blocks}" -gt 0 ]
			[ "${lines[1]}" = "round 2: $blocks" ]
			[ "${lines[2]}" = "one block: $((size - 64)) bytes" ]
		done
	done
}

@test "guests: initdata shows what it was given; without, nothing (R4 R13)" {
	says initdata 0 'size: 0
fnv1a: cbf29ce484222325
starts:'
	printf 'foobar' >"$BATS_TEST_TMPDIR/data"
	local kind
	for kind in elf pie.elf; do
		nub run --init-data "$BATS_TEST_TMPDIR/data" "$GUESTS/initdata.$kind"
		ended 0 ok
		[ "$output" = 'size: 6
fnv1a: 85944171f73967e8
starts: 66 6f 6f 62 61 72' ]
	done
}

@test "guests: mapfile lists 32 files in their order (R14)" {
	local i kind
	local -a maps=()
	printf 'foobar' >"$BATS_TEST_TMPDIR/data"
	says mapfile 0 'files: 0'
	for i in {1..32}; do
		maps+=(--map "$BATS_TEST_TMPDIR/data@$(printf '0x%x' $((i << 24))):file $i")
	done
	for kind in elf pie.elf; do
		nub run "${maps[@]}" "$GUESTS/mapfile.$kind"
		ended 0 ok
		[ "${lines[0]}" = 'files: 32' ]
		for i in {1..32}; do
			[ "${lines[i]}" = "file $i: size 6 at $(printf '0x%x' $((i << 24))), fnv1a 85944171f73967e8" ]
		done
	done
	nub run "${maps[@]}" --map "$BATS_TEST_TMPDIR/data@0x70000000:one more" "$GUESTS/mapfile.elf"
	ended 125 error
	[ "$(field .error.code)" = file-mapping-limit ]
}

@test "guests: calc over every type" {
	gives calc add 3 1 2
	gives calc add -9223372036854775808 9223372036854775807 1
	gives calc sub -1 1 2
	gives calc mul -6 2 -3
	gives calc div -3 -7 2
	gives calc div -9223372036854775808 -9223372036854775808 -1
	gives calc hypot_f64 5.0 3 4
	gives calc scale_f32 0.75 1.5 0.5
	gives calc not_bool false true
	gives calc not_bool true false
	gives calc mask_u32 240 4294967295 240
	gives calc mul_u64 18446744073709551614 9223372036854775807 2
	gives calc neg_i32 -5 5
	gives calc neg_i32 -2147483648 -2147483648
	gives calc concat '"ab"' '"a"' '"b"'
	gives calc concat '""' '""' '""'
	gives calc reverse '{"base64":"AwIB"}' '{"base64":"AQID"}'
	gives calc reverse '{"base64":""}' '{"base64":""}'
	gives calc nothing null
	gives calc sum_ten 1008.75 -1 2 -3 1000 0.5 0.25 true '"four"' '{"base64":"AAAAAAA="}' 0
}

@test "guests: calc's own errors are failures of the call, not of the guest" {
	local kind
	for kind in elf pie.elf; do
		nub run --call div "$GUESTS/calc.$kind" 7 0
		ended 1 guest-exit
		[ "$output" = "" ]
		[[ $(field .error.message) == *'division of 7 by zero'* ]]
	done
}

@test "guests: calc has no main, and says so" {
	local kind
	for kind in elf pie.elf; do
		nub run "$GUESTS/calc.$kind"
		ended 134 guest-crash
		[[ $(field .crash.message) == *'no main'* ]]
	done
}

@test "guests: echo gives back every type; it makes answers of any size" {
	local type size kind
	for type in i32 u32 i64 u64; do
		gives echo "echo_$type" 7 7
	done
	gives echo echo_f32 0.1 0.1
	gives echo echo_f64 0.1 0.1
	gives echo echo_bool true true
	gives echo echo_string '"ü\n"' '"ü\n"'
	gives echo echo_bytes '{"base64":"AAH/"}' '{"base64":"AAH/"}'
	gives echo echo_void null
	gives echo count 0
	gives echo make_bytes '{"base64":"AAECAwQ="}' 5
	# Up to what the ring holds: 64 KiB less its two u64s, the reply's byte, type and length.
	size=$((65536 - 16 - 6))
	for kind in elf pie.elf; do
		nub run -q --call make_bytes "$GUESTS/echo.$kind" "$size"
		[ "$status" -eq 0 ]
		[ "$(jq -r .base64 <<<"$output" | base64 -d | wc -c)" -eq "$size" ]
		nub run --call make_bytes "$GUESTS/echo.$kind" $((size + 1))
		ended 1 guest-exit
		[[ $(field .error.message) == *"the reply has $((size + 7)) bytes, the output ring has room for $((size + 6))"* ]]
		nub run --output 128K --call make_bytes "$GUESTS/echo.$kind" $((size + 1))
		ended 0 ok
	done
}

@test "guests: empty does next to nothing, and writes to its pages" {
	gives empty empty null
	gives empty write4 null
	nub run --call write4 --repeat 20 "$GUESTS/empty.elf"
	ended 0 ok
}

@test "guests: callback is served by --host-fn, and knows when it is not" {
	local kind
	for kind in elf pie.elf; do
		nub run "$GUESTS/callback.$kind"
		ended 3 guest-exit
		[[ $stderr == "greet: "*"'greet' is not offered"* ]]
		nub run --host-fn "greet=jq -c '\"Hello, \" + .[0]'" "$GUESTS/callback.$kind" World
		ended 0 ok
		[ "$output" = 'Hello, World' ]
		nub run --host-fn "host_upper=jq -c '.[0] | ascii_upcase'" --call ask "$GUESTS/callback.$kind" '"loud"'
		ended 0 ok
		[ "$output" = '"LOUD"' ]
		nub run --host-fn "host_add=jq -c '.[0] + .[1]'" --call sum_host "$GUESTS/callback.$kind" 40 2
		ended 0 ok
		[ "$output" = 42 ]
		[ "$(field .exits.call)" -eq 1 ]
	done
}

@test "guests: callback has the host's clock and dice without asking for them" {
	nub run --call clock_and_dice "$GUESTS/callback.pie.elf"
	ended 0 ok
	# Printed as an unsigned number; the shell's are signed, which the lower bits don't mind.
	local hour=$((output & 0xff))
	[ "$hour" -eq "$(date -u +%-H)" ] || [ "$hour" -eq "$(date -u -d '-1 minute' +%-H)" ]
}

@test "guests: log at each level, as text (R35)" {
	local -a names=(off error warn info debug trace)
	local level kind evaluated
	for kind in elf pie.elf; do
		for level in {0..5}; do
			nub run --log-level "${names[level]}" "$GUESTS/log.$kind"
			ended 0 ok
			[ "${#stderr_lines[@]}" -eq $((level + 1)) ]
			evaluated=skipped
			if [ "$level" -eq 5 ]; then evaluated=evaluated; fi
			[ "$output" = "level $level, trace $evaluated" ]
			[ "$(field .exits.log)" -eq "$level" ]
		done
		# The last run was at every level; control characters and bytes that are no text don't reach a terminal.
		for level in {1..5}; do
			[[ ${stderr_lines[level - 1]} == "${names[level]}: "*"log.c:"*": ${names[level]}: "* ]]
		done
		[[ ${stderr_lines[1]} == *'a tab\tand a line\nbreak' ]]
		[[ ${stderr_lines[2]} == *'control \x01 and delete \x7f, and nothing but text: ä' ]]
		[[ ${stderr_lines[4]} == *'trace: number 1' ]]
	done
}

@test "guests: log at each level, as JSON (R35)" {
	local -a names=(off error warn info debug trace)
	local level
	for level in {1..5}; do
		nub run --log-level "${names[level]}" --log-format json "$GUESTS/log.pie.elf"
		ended 0 ok
		[ "${#stderr_lines[@]}" -eq $((level + 1)) ]
		[ "$(jq -r .level <<<"${stderr_lines[level - 1]}")" = "${names[level]}" ]
		[[ $(jq -r .source <<<"${stderr_lines[level - 1]}") == *log.c ]]
		[ "$(jq -r .line <<<"${stderr_lines[level - 1]}")" -eq \
			"$(grep -n "nub_log(NUB_LOG_${names[level]^^}," "$ROOT/guests/log.c" | cut -d: -f1)" ]
	done
	[ "$(jq .message <<<"${stderr_lines[0]}")" = '"error: a \"quoted\" word and a back\\slash"' ]
	[ "$(jq .message <<<"${stderr_lines[1]}")" = '"warn: a tab\tand a line\nbreak"' ]
	[ "$(jq .message <<<"${stderr_lines[2]}")" = \
		'"info: control \u0001 and delete \u007f, and nothing but text: ä"' ]
}

@test "guests: spin is ended by --timeout, and what it said before is not lost" {
	local kind
	for kind in elf pie.elf; do
		nub run --timeout "$(slow 150)ms" "$GUESTS/spin.$kind"
		ended 124 timeout
		[ "$output" = spinning ]
		[ "$(field '.time_us.run >= 150000')" = true ]
	done
}

# Crash both kinds in a way: exit code, the line before, and filters on .crash that must hold.
crashes() { # WAY JQ-FILTER...
	local way=$1 kind filter
	shift
	for kind in elf pie.elf; do
		nub run "$GUESTS/crash.$kind" "$way"
		ended 134 guest-crash
		[ "$output" = "crash: $way" ]
		for filter in "$@"; do
			echo "$filter"
			[ "$(field ".crash | $filter")" = true ]
		done
		[ "$(field '.crash | (.message | length > 20) and .registers.rip == .rip')" = true ]
	done
}

@test "guests: crash by page fault: vector, address, access, region, symbol (R1 R11)" {
	local fault='.kind == "exception" and .vector == 14 and .name == "#PF" and .privilege_level == 3'
	crashes null "$fault" '.address == "0x0" and .access == "write" and (.present | not) and .error_code == "0x6"' \
		'.symbol | startswith("null")' '.message | contains("the null page")'
	crashes exec-null "$fault" '.address == "0x0" and .access == "execute" and .rip == "0x0"'
	crashes guard "$fault" '.access == "write" and .region.type == "Guard" and .region.distance == 0' \
		'.symbol | startswith("guard")' '.region.flags == "---"' '.message | contains("stack overflow")'
	crashes recursion "$fault" '.access == "write" and .region.type == "Guard"' '.symbol | startswith("recurse")' \
		'.message | contains("stack overflow")'
	crashes write-code "$fault" '.access == "write" and .present and .error_code == "0x7"' \
		'.region.type == "Code" and .region.flags == "R-X"' '.symbol | startswith("write_code")' \
		'.message | contains("(code, R-X) at write_code")'
	crashes write-rodata "$fault" '.access == "write" and .present' '.region.type == "Code" and .region.flags == "R--"'
	crashes exec-heap "$fault" '.access == "execute" and .present and .address == .rip' \
		'.region.type == "Heap" and .region.flags == "RW-"'
}

@test "guests: crash by other exceptions and by closed ports" {
	crashes ud2 '.vector == 6 and .name == "#UD" and .symbol == "ud2"' 'has("address") | not'
	crashes div0 '.vector == 0 and .name == "#DE"' '.symbol | startswith("div0")'
	crashes int3 '.vector == 3 and .name == "#BP"' '.symbol | startswith("int3")'
	crashes gp '.vector == 13 and .name == "#GP"' '.symbol | startswith("gp")'
	crashes privileged '.kind == "exception" and .vector == 13' '.symbol | startswith("privileged")'
	crashes bad-port '.kind == "bad-port" and .port == 128 and .direction == "out"' \
		'.message | startswith("out to port 0x80,")'
	crashes bad-port-in '.kind == "bad-port" and .port == 128 and .direction == "in"' \
		'.message | startswith("in from port 0x80,")'
	# The I/O bitmap opens this one, for out.
	crashes exit-port '.kind == "bad-port" and .port == 108 and .direction == "in"' \
		'.message | startswith("in from port 0x6c,")'
}

@test "guests: crash by aborting, with a message (R34)" {
	crashes abort '.kind == "abort" and .abort == {"code": 1, "message": "aborted"}'
	crashes abort-message '.abort == {"code": 1, "message": "the answer is 42, not 41"}'
	crashes assert '.abort.code == 2' '.abort.message | test("crash\\.c:[0-9]+: assertion: assertion .one == 2. failed")'
	crashes double-free '.kind == "abort"' '.abort.message | contains("freed before")'
}

@test "guests: crash without a way lists them all, and each is tested here" {
	local kind way
	for kind in elf pie.elf; do
		nub run "$GUESTS/crash.$kind"
		ended 2 guest-exit
		[[ ${stderr_lines[0]} == 'usage: crash WAY, where WAY is one of '* ]]
	done
	for way in ${stderr_lines[0]#*one of}; do
		echo "$way"
		grep -q "^	crashes $way " "$BATS_TEST_FILENAME"
	done
}

@test "guests: CPUID shows no VMX, SVM, x2APIC, CET, MONITOR, protection keys and the like" {
	only_kvm
	local guest rest
	# What kvm_pvm shows all its guests, whose code at CPL 3 executes CPUID without leaving to it.
	local -a pvm=(MCE MTRR MCA TSC_ADJUST HLE SMEP RTM AVX512F SMAP UMIP ARCH_CAPABILITIES AVX512_MASKS)
	for guest in "$TEST_GUESTS/cpuid.elf" "$TEST_TOOLS/linux/cpuid"; do
		nub run "$guest"
		[ "$status" -eq 0 ]
		[ "${lines[0]}" = "SSE2 1 hypervisor 1" ]
		rest=$(printf '%s\n' "${lines[@]:1}")
		# There is room for its registers, without an instruction that uses them.
		[ "$guest" != "$TEST_TOOLS/linux/cpuid" ] || rest=$(grep -vx AVX512_MASKS <<<"$rest") || true
		[ ! -d /sys/module/kvm_pvm ] || rest=$(grep -vxFf <(printf '%s\n' "${pvm[@]}") <<<"$rest") || true
		[ -z "$rest" ]
	done
}

@test "guests: code at CPL 0 reaches the MSRs of its own state, and no others" {
	only_kvm
	local msr
	# SYSENTER_ESP, PAT, EFER, LSTAR, GS_BASE
	for msr in 0x175 0x277 0xc0000080 0xc0000082 0xc0000101; do
		nub run --seed $((256 + msr)) "$TEST_GUESTS/kernel-fails.elf"
		ended 134 guest-crash
		[ "$(field .crash.kind)" = halted ]
	done
	# APIC_BASE, MISC_ENABLE, MTRR_DEF_TYPE, TSC_DEADLINE, VMX_BASIC, DEBUGCTL, VM_HSAVE_PA, KVM's wall clock
	for msr in 0x1b 0x1a0 0x2ff 0x6e0 0x480 0x1d9 0xc0010117 0x4b564d00; do
		nub run --seed $((256 + msr)) "$TEST_GUESTS/kernel-fails.elf"
		ended 134 guest-crash
		[ "$(field .crash.kind)" != halted ]
	done
}
