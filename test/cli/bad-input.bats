#!/usr/bin/env bats
# Files that are no guests, damaged guests, arguments that don't fit: refused by name, with a cure, before anything runs.

load helper

setup() {
	ELF="$BATS_TEST_TMPDIR/bad.elf"
	cp "$GUESTS/hello.elf" "$ELF"
	chmod u+w "$ELF"
}

# Overwrite bytes of $ELF.
poke() { # OFFSET HEX
	local i bytes=
	for ((i = 0; i < ${#2}; i += 2)); do
		bytes+="\x${2:i:2}"
	done
	printf '%b' "$bytes" | dd of="$ELF" bs=1 seek=$(($1)) conv=notrunc status=none
}

# File offset of the first program header of a type, by its number.
header() { # TYPE
	local i type
	for ((i = 0; i < $(od -An -tu2 -j56 -N2 "$ELF"); i++)); do
		type=$(od -An -tu4 -j$((64 + 56 * i)) -N4 "$ELF")
		if [ $((type)) -eq "$1" ]; then
			echo $((64 + 56 * i))
			return
		fi
	done
	return 1
}

# run and inspect both refuse $ELF, with something to do about it.
bad() { # ERROR-CODE-PATTERN MESSAGE-PATTERN
	local command
	for command in run inspect; do
		nub "$command" "$ELF"
		ended 126 error
		# shellcheck disable=SC2053 # patterns
		[[ $(field .error.code) == $1 && $(field .error.message) == $2 ]]
		[ -n "$(field '.error.hint // ""')" ]
		[[ $(field .error.message) == *bad.elf* ]]
		[ "$output" = "" ]
	done
}

@test "bad input: no file, a folder, a file that is not readable" {
	nub run "$BATS_TEST_TMPDIR/missing"
	refused 127 not-found '*missing*'
	nub run "$ELF/below"
	refused 127 not-found '*'
	nub run "$BATS_TEST_TMPDIR"
	refused 126 elf-magic '*folder*'
	[ "$(id -u)" -eq 0 ] && return
	chmod 000 "$ELF"
	nub run "$ELF"
	refused 125 io '*bad.elf*'
}

@test "bad input: empty, text, a script (R16)" {
	: >"$ELF"
	nub run "$ELF"
	[ "$status" -eq 126 ]
	echo 'hello' >"$ELF"
	nub run "$ELF"
	[ "$status" -eq 126 ]
	printf '#!/bin/sh\necho a script that is longer than any ELF header would be, by some\n' >"$ELF"
	bad elf-magic '*'
}

@test "bad input: 32-bit, big-endian, ARM, a relocatable object, a core (R16)" {
	poke 4 01
	bad elf-class '*'
	poke 4 02
	poke 5 02
	poke 18 003e
	bad elf-class '*'
	poke 5 01
	poke 18 b700
	bad elf-machine '*'
	poke 18 3e00
	poke 16 0100
	bad elf-type '*'
	# inspect reads cores: what it says of this one is about what a core has.
	poke 16 0400
	bad '@(elf-type|core-*)' '*'
}

@test "bad input: a dynamic program, whose interpreter is named (R16)" {
	local program
	for program in /bin/ls /usr/bin/env; do
		readelf -lW "$program" | grep -q INTERP || continue
		nub run "$program"
		[ "$status" -eq 126 ]
		[ "$(field .error.code)" = elf-interpreter ]
		[[ $(field .error.message) == *ld-linux* ]]
	done
}

@test "bad input: a static program that is no guest is told what nubrun runs (R15)" {
	echo 'int main(void) { return 0; }' | gcc -x c -static -o "$ELF" -
	nub run --abi nub "$ELF"
	ended 126 error
	[ "$(field .error.code)" = elf-no-note ]
	[ "$(field '.error | (.message + .hint) | length > 40')" = true ]
	nub inspect "$ELF"
	[ "$(field .error.code)" = elf-no-note ]
	# By itself it is a program for Linux.
	nub run "$ELF"
	ended 0 ok
}

@test "bad input: another ABI version, with both (R15)" {
	local note
	note=$(LC_ALL=C grep -obUaP '\x04\x00\x00\x00\x08\x00\x00\x00\x01\x00\x00\x00nub\x00' "$ELF" | head -n 1 | cut -d: -f1)
	poke $((note + 16)) 63000000
	bad elf-abi-version '*99*1*'
	poke $((note + 16)) 01000000
	poke $((note + 20)) 02000000
	bad elf-note '*2*'
}

@test "bad input: cut off anywhere, it is refused or whole (R16)" {
	local size cut
	size=$(stat -c %s "$GUESTS/hello.elf")
	for cut in 0 1 3 4 15 16 63 64 65 119 120 200 400 4095 4096 4097 8191 8192 12000; do
		((cut < size)) || continue
		echo "cut at $cut"
		head -c "$cut" "$GUESTS/hello.elf" >"$ELF"
		bad 'elf-*' '*'
	done
}

@test "bad input: header counts that lie (R16)" {
	poke 56 ffff
	bad elf-header '*has 65535 program headers*'
	poke 56 0000
	bad elf-no-load '*'
	cp "$GUESTS/hello.elf" "$ELF"
	poke 32 f0ffffffffffffff
	bad elf-truncated '*'
}

@test "bad input: segments that wrap, overlap, or have more file than memory (R16)" {
	local load
	load=$(header 1)
	poke $((load + 16)) 00f0ffffffffffff
	bad 'elf-*' '*'
	cp "$GUESTS/hello.elf" "$ELF"
	# Larger than its file: into the next segment's pages.
	poke $((load + 40)) 0000100000000000
	bad elf-overlap '*'
	cp "$GUESTS/hello.elf" "$ELF"
	poke $((load + 40)) 0100000000000000
	bad elf-segment '*'
	cp "$GUESTS/hello.elf" "$ELF"
	poke $((load + 40)) 00000000000000ff
	bad 'elf-*' '*'
}

@test "bad input: an entry outside the code (R16)" {
	poke 24 0000000000000000
	bad elf-entry '*'
	poke 24 ffffffffffffffff
	bad elf-entry '*'
}

@test "bad input: a segment that is writable and executable, unless --allow-wx (R11)" {
	local load
	load=$(header 1)
	poke $((load + 56 + 4)) 07000000
	nub inspect "$ELF"
	[ "$status" -eq 126 ]
	[ "$(field .error.code)" = elf-wx ]
	[[ $(field '.error.message + .error.hint') == *--allow-wx* ]]
	nub run "$ELF"
	[ "$status" -eq 126 ]
	nub inspect --json --allow-wx "$ELF"
	[ "$status" -eq 0 ]
	[ "$(jq '[.memory[] | select(.flags == "RWX")] | length' <<<"$output")" -eq 1 ]
}

@test "bad input: guests from pipes and descriptors are fine" {
	capture bash -c 'cat "$2" | "$1" inspect --json /dev/stdin' - "$NUBRUN" "$GUESTS/hello.elf"
	[ "$status" -eq 0 ]
	[ "$(jq -r .kind <<<"$output")" = guest ]
}

@test "bad input: a huge sparse file is not read" {
	truncate -s 10G "$ELF"
	nub run "$ELF"
	ended 126 error
	[ "$(field .error.code)" = elf-size ]
}

@test "bad input: a function that is not exported, with the nearest" {
	nub run --call ad "$GUESTS/calc.elf" 1 2
	refused 125 function-unknown "*exports no function 'ad'"
	[[ $(field .error.hint) == *"'add'"* ]]
	nub run --call add "$GUESTS/hello.elf" 1 2
	refused 125 function-unknown '*'
	[[ $(field .error.hint) == *"none"* ]]
}

@test "bad input: too many or too few arguments, with the prototype" {
	nub run --call add "$GUESTS/calc.elf" 1
	refused 125 arguments '*add: takes 2 arguments, 1 are given'
	[[ $(field .error.hint) == *"add(i64, i64) -> i64"* ]]
	nub run --call add "$GUESTS/calc.elf" 1 2 3
	refused 125 arguments '*'
}

# --call echo_TYPE with this argument is refused with a message that ends like this.
bad_argument() { # TYPE JSON MESSAGE-PATTERN
	nub run --call "echo_$1" "$GUESTS/echo.elf" "$2"
	refused 125 arguments "*echo.elf: echo_$1: argument 1: $3"
}

@test "bad input: arguments out of range" {
	bad_argument i32 2147483648 '2147483648 is out of range for i32'
	bad_argument i32 -2147483649 '-2147483649 is out of range for i32'
	bad_argument u32 4294967296 '4294967296 is out of range for u32'
	bad_argument u32 -1 '-1 is out of range for u32'
	bad_argument i64 9223372036854775808 '9223372036854775808 is out of range for i64'
	bad_argument i64 -9223372036854775809 '-9223372036854775809 is out of range for i64'
	bad_argument u64 18446744073709551616 '18446744073709551616 is out of range for u64'
	bad_argument u64 -1 '-1 is out of range for u64'
	bad_argument f32 1e39 '1e39 is out of range for f32'
	bad_argument f64 1e400 '1e400 is out of range for f64'
}

@test "bad input: arguments of the wrong type" {
	bad_argument i32 1.5 '1.5 is not an i32'
	bad_argument i32 1e3 '1e3 is not an i32'
	bad_argument i64 '"1"' '"1" is not an i64'
	bad_argument u64 true 'true is not a u64'
	bad_argument f64 '"1"' '"1" is not an f64'
	bad_argument f32 null 'null is not an f32'
	bad_argument bool 1 '1 is not a bool'
	bad_argument string 1 '1 is not a string'
	bad_argument string '"a\u0000b"' '*contains \\u0000'
	bad_argument bytes '"AAAA"' '"AAAA" is not a bytes'
	bad_argument bytes '{"base64":"AAAA","x":1}' '* is not a bytes'
	bad_argument bytes '{"base64":"AA=A"}' 'not base64 at character 3 of 4'
	bad_argument bytes '{"base64":"AAA"}' 'not base64 at character 3 of 3'
	bad_argument bytes '{"base64":"AB=="}' 'not base64 at character 2 of 4'
}

@test "bad input: arguments that are not JSON, and where" {
	bad_argument string abc 'not JSON at character 1: *'
	bad_argument i64 '1 2' 'not JSON at character 3: *'
	bad_argument i64 '' 'not JSON at character 1: it is empty'
	bad_argument string '"abc' 'not JSON at character 5: it ends too early'
	bad_argument string '"a'$'\xff''"' 'not JSON at character *'
	bad_argument i64 01 'not JSON at character *: malformed number'
	bad_argument f64 1e 'not JSON at character *: malformed number'
	bad_argument i64 0x10 'not JSON at character *'
	bad_argument f64 NaN 'NaN is not an f64'
	bad_argument f32 -Infinity '*'
	bad_argument bytes '{"base64":"AAAA"' 'not JSON at character 17: it ends too early'
	bad_argument string "$(printf '[%.0s' {1..100})" 'not JSON at character *'
}
