#!/usr/bin/env bats
# `nubrun snapshot`: what is saved, where it goes, and that what was there before stays when it goes wrong.

# shellcheck disable=SC2034 # json is what field reads

load helper
load snapshot_helper

setup() {
	needs_kvm
	cd "$BATS_TEST_TMPDIR"
	CALC=$GUESTS/calc.elf
}

@test "snapshot: a guest is initialised and saved, with a status that says what and where (R23 R24 R27)" {
	local cow
	for cow in $(policies); do
		nub snapshot --cow "$cow" -o a.snap "$CALC"
		ended 0 ok
		[ "$output" = "" ]
		[ "$(field '.saved | [.path, .generation, .next, .layers] | join(" ")')" = "a.snap 1 call 1" ]
		[ "$(field .saved.hash)" = "$(about a.snap .snapshot.hash)" ]
		[ "$(field .guest.path)" = "$CALC" ]
		[ "$(about a.snap .snapshot.cow)" = "$cow" ]
		# Zeros are holes: far less is stored than mapped.
		[ "$(stored a.snap)" -lt 262144 ]
		[ "$(field .saved.mapped_size)" -gt 1048576 ]
	done
}

@test "snapshot: --call calls before it saves; a call that fails, crashes or times out saves nothing" {
	nub snapshot -o a.snap --call echo_string "$GUESTS/echo.elf" '"x"'
	ended 0 ok
	[ "$output" = '"x"' ]
	[ "$(field .result)" = x ]
	[ "$(about a.snap .snapshot.next)" = call ]
	rm a.snap
	nub snapshot -o a.snap --call div "$CALC" 7 0
	ended 1 guest-exit
	nub snapshot -o a.snap --call crash_call "$GUESTS/crash.elf" '"ud2"'
	ended 134 guest-crash
	nub snapshot -o a.snap --timeout 100ms --until-checkpoint "$GUESTS/spin.elf"
	ended 124 timeout
	nub snapshot -o a.snap --call nosuch "$CALC"
	refused 125 function-unknown '*nosuch*'
	[ ! -e a.snap ]
}

@test "snapshot: --until-checkpoint stops in the middle of main; a program that ends first is an error" {
	nub snapshot -o a.snap --until-checkpoint "$GUESTS/checkpoint.elf"
	ended 0 ok
	[ "$(field .checkpoint)" = true ]
	[ "$(field .saved.next)" = resume ]
	echo before >b.snap
	nub snapshot -o b.snap --until-checkpoint "$GUESTS/args.elf" one two
	refused 125 state '*ended with exit code 2 before it came to a checkpoint*'
	[ "$(cat b.snap)" = before ]
	# Two steps further, from the snapshot.
	nub snapshot -o a.snap --until-checkpoint a.snap
	nub snapshot -o a.snap --until-checkpoint a.snap
	ended 0 ok
	[ "$output" = "step 1: restored" ]
	[ "$(field '[.snapshot.generation, .saved.generation] | join(" ")')" = "2 3" ]
}

@test "snapshot: run and restore can save too, with --snapshot-on-exit" {
	nub run --until-checkpoint --snapshot-on-exit a.snap "$GUESTS/checkpoint.elf"
	ended 0 ok
	[ "$(field .saved.path)" = a.snap ]
	nub restore --until-checkpoint --snapshot-on-exit b.snap a.snap
	ended 0 ok
	[ "$output" = "step 0: restored" ]
	nub restore b.snap
	[ "${lines[0]}" = "step 1: restored" ]
	nub run --call echo_void --snapshot-on-exit c.snap "$GUESTS/echo.elf"
	ended 0 ok
	nub restore --call echo_void --snapshot-on-exit c.snap c.snap
	nub restore --call count c.snap
	[ "$output" -eq 2 ]
	nub run --until-checkpoint "$GUESTS/checkpoint.elf"
	ended 0 ok
	[ "$(field .checkpoint)" = true ]
	[ "$output" = "" ]
	nub run --until-checkpoint "$GUESTS/args.elf" one
	ended 1 guest-exit
	nub run --until-checkpoint --snapshot-on-exit d.snap "$GUESTS/args.elf" one
	refused 125 state '*ended with exit code 1*'
	[ ! -e d.snap ]
}

@test "snapshot: mapped files are part of it; the files are not needed any more (R25)" {
	local cow
	for cow in $(policies); do
		printf 'first' >map.bin
		save a.snap --cow "$cow" --map map.bin@0x10000000:first "$GUESTS/mapfile.elf"
		rm map.bin
		nub restore a.snap
		ended 0 ok
		[ "${lines[0]}" = "files: 1" ]
		[[ ${lines[1]} == "first: size 5 at 0x10000000, "* ]]
		[ "$(about a.snap '.memory[] | select(.type == "MappedFile").gva')" = 0x10000000 ]
		[ "$(field .memory.mapped)" -eq 0 ]
	done
}

@test "snapshot: contradictory and missing options are refused before anything runs" {
	nub snapshot "$CALC"
	refused 125 usage '*where to save it*'
	nub snapshot -o a.snap
	refused 125 usage '*an operand is missing*'
	nub snapshot -o a.snap --call add --until-checkpoint "$CALC" 1 2
	refused 125 usage '--until-checkpoint*'
	nub snapshot -o a.snap "$CALC" 1 2
	refused 125 usage "*'1' is an argument*"
	nub snapshot -o a.snap --flatten --call add "$CALC" 1 2
	refused 125 usage '--flatten*--call'
	nub snapshot -o a.snap --flatten "$CALC"
	refused 125 usage '--flatten*no snapshot'
	nub snapshot -o - --status - "$CALC"
	json=$output
	refused 125 usage '--status*'
	nub run --snapshot-on-exit a.snap "$CALC"
	refused 125 usage '--snapshot-on-exit*'
	nub run --cow both "$CALC"
	refused 125 usage "--cow: 'both' is not one of: host guest"
	save a.snap "$CALC"
	local option
	for option in --heap --stack --scratch --input --output; do
		nub snapshot -o b.snap "$option" 64K a.snap
		refused 125 usage "$option: a.snap is a snapshot*"
	done
	for option in --allow-wx --executable-heap --cow=host --init-data=/dev/null --map=a.snap@0x10000000; do
		nub snapshot -o b.snap "$option" a.snap
		refused 125 usage "${option%%=*}: a.snap is a snapshot*"
	done
	[ ! -e b.snap ]
}

@test "snapshot: -o - streams through a pipe, a file that is appended to, and one that has contents" {
	local cow
	for cow in $(policies); do
		save a.snap --cow "$cow" "$CALC"
		"$NUBRUN" snapshot -q -o - a.snap | "$NUBRUN" restore -q --call add - 2 40 >out
		[ "$(cat out)" -eq 42 ]
		"$NUBRUN" snapshot -q -o - a.snap | cat >b.snap
		"$NUBRUN" inspect --verify b.snap >/dev/null
		"$NUBRUN" snapshot -q -o - a.snap >c.snap
		[ "$(stored c.snap)" -lt 262144 ]
		cmp b.snap c.snap
		: >d.snap
		"$NUBRUN" snapshot -q -o - a.snap >>d.snap
		cmp b.snap d.snap
		# Where holes would be there are other bytes.
		head -c 2000000 /dev/urandom >e.snap
		"$NUBRUN" snapshot -q -o - a.snap 1<>e.snap
		"$NUBRUN" inspect --verify e.snap >/dev/null
		"$NUBRUN" restore --verify -q --call add - 1 2 <c.snap >out
		[ "$(cat out)" -eq 3 ]
	done
}

@test "snapshot: -o - leaves stdout to the snapshot: what is printed and returned goes elsewhere" {
	"$NUBRUN" snapshot -o - --until-checkpoint "$GUESTS/checkpoint.elf" >a.snap 2>/dev/null
	"$NUBRUN" snapshot -o - --until-checkpoint a.snap >b.snap 2>err
	[ "$(head -n 1 err)" = "step 0: restored" ]
	[ "$(tail -n 1 err | jq -r .saved.path)" = - ]
	"$NUBRUN" inspect --verify b.snap >/dev/null
	"$NUBRUN" snapshot -o - --call add "$CALC" 2 40 2>err | "$NUBRUN" inspect --json - >out
	[ "$(jq -r .snapshot.next out)" = call ]
	[ "$(tail -n 1 err | jq .result)" -eq 42 ]
}

@test "snapshot: is not written to a terminal" {
	run script -qec "'$NUBRUN' snapshot -o - '$CALC'" /dev/null
	echo "$output"
	[[ $output == *"stdout: is a terminal"* ]]
	[[ $output != *nubsnap* ]]
}

# Save to a pipe whose reader begins late, on a terminal: what the terminal shows.
save_slowly() { # SECONDS OPTION...
	local seconds=$1
	shift
	rm -f pipe out
	mkfifo pipe
	{ sleep "$seconds" && cat >out; } <pipe &
	output=$(script -qec "$(printf '%q ' "$NUBRUN" snapshot -o pipe "$@" "$CALC")" /dev/null </dev/null)
	wait $!
	cat -v <<<"$output"
	[ "$("$NUBRUN" restore -q --call add out 1 2)" -eq 3 ]
}

@test "snapshot: a terminal shows progress when saving takes longer than a second, and a clean line after it" {
	save_slowly 1.3 --heap 16M
	[[ $output == *$'\rsaving: '[0-9]*' of 18 MiB, '[0-9]*' % '*$'\r\e[K'*'saved pipe'* ]]
	# Not sooner, not when it shall be quiet, and not into a file.
	local before=${EPOCHREALTIME/./}
	save_slowly 0 --heap 16M
	[[ $output == *"saved pipe"* ]]
	[[ $output != *saving:* ]] || [ $((${EPOCHREALTIME/./} - before)) -ge 1000000 ]
	save_slowly 1.3 --heap 16M --quiet
	[ "$output" = "" ]
	{ sleep 1.3 && cat >out; } <pipe &
	"$NUBRUN" snapshot -o pipe --heap 16M "$CALC" 2>err
	wait $!
	[ "$(grep -c saving: err)" -eq 0 ]
}

@test "snapshot: devices and pipes are written to, not replaced" {
	[ -c /dev/null ]
	save /dev/null "$CALC"
	[ -c /dev/null ]
	mkfifo pipe
	"$NUBRUN" restore -q --call add - 1 2 <pipe >out &
	save pipe "$CALC"
	wait $!
	[ "$(cat out)" -eq 3 ]
	[ -p pipe ]
	nub snapshot -o /dev/full "$CALC"
	refused 125 io '*No space left*'
}

@test "snapshot: a closed stdout and a reader that goes away are errors, not signals" {
	status=0
	"$NUBRUN" snapshot -o - "$CALC" >&- 2>err || status=$?
	json=$(tail -n 1 err)
	refused 125 io '*Bad file descriptor*'
	"$NUBRUN" snapshot -o - --heap 64M "$CALC" 2>err | head -c 1 >/dev/null || true
	json=$(tail -n 1 err)
	[ "$(field .error.code)" = io ] && [[ $(field .error.message) == *"Broken pipe"* ]]
}

@test "snapshot: keeps links and permissions of the file that it replaces" {
	umask 022
	save real "$CALC"
	[ "$(stat -c %a real)" = 644 ]
	chmod 600 real
	ln -s real link
	save link --call add real 1 2 >/dev/null
	[ -L link ]
	[ "$(stat -c %a real)" = 600 ]
	[ "$(about real .snapshot.generation)" -eq 2 ]
}

@test "snapshot: a folder that is missing, is no folder or can't be written is named before the guest runs" {
	local path
	for path in none/a.snap "$CALC/a.snap" . /dev/fd/99; do
		nub snapshot -o "$path" --until-checkpoint "$GUESTS/checkpoint.elf"
		refused 125 io "*$path*"
		[ "$(field .exits.total)" -eq 0 ]
	done
	[ "$(id -u)" -eq 0 ] && return
	mkdir locked
	chmod 500 locked
	nub snapshot -o locked/a.snap "$CALC"
	refused 125 io '*locked*'
}

@test "snapshot: a full disk leaves the old file, and no other" {
	mkdir disk
	small_disk disk 200
	status=0
	save disk/a.snap "$CALC" || status=1
	cp disk/a.snap . || status=2
	head -c 90000 /dev/urandom >disk/fill || status=3
	nub snapshot -o disk/a.snap --call add a.snap 1 2
	local files same=no
	files=$(ls -A disk)
	cmp disk/a.snap a.snap && same=yes
	umount disk
	refused 125 io '*No space left*'
	[ "$same" = yes ] && [ "$files" = $'a.snap\nfill' ]
}

@test "snapshot: a limit on file sizes leaves the old file, and no other" {
	only_kvm
	save a.snap "$CALC"
	cp a.snap old
	nub_limited() { (ulimit -f 1000 && exec "$NUBRUN" "$@"); }
	capture nub_limited snapshot -o a.snap --call add a.snap 1 2
	refused 125 io '*File too large*'
	cmp a.snap old
	[ "$(ls -A)" = $'a.snap\nold' ]
}

@test "snapshot: a kill, an interrupt or a hang-up leaves the old file or the new one, and no other" {
	local signal i status
	mkdir folder
	save folder/a.snap "$CALC"
	for signal in KILL INT TERM HUP; do
		for i in 1 2 3 4; do
			# Job control, so that an interrupt is not ignored.
			(
				set -m
				env --default-signal=HUP "$NUBRUN" snapshot -q -o folder/a.snap --call add folder/a.snap 1 2 >/dev/null &
				sleep "0.00$((2 * i))"
				kill -"$signal" $! 2>/dev/null
				wait $!
			) || true
			[ "$(ls -A folder)" = a.snap ]
			"$NUBRUN" inspect --verify folder/a.snap >/dev/null
		done
	done
}

@test "snapshot: an interrupt in the middle of writing ends it by that signal, and changes nothing" {
	# A large one, so that there is time: 200 MiB of data that no page repeats.
	head -c 200M /dev/urandom >data
	save old "$CALC"
	mkdir folder
	cp old folder/a.snap
	status=0
	(
		set -m
		"$NUBRUN" snapshot -q -o folder/a.snap --map data@0x10000000 "$GUESTS/mapfile.elf" &
		sleep 0.15
		kill -TERM $!
		wait $!
	) || status=$?
	echo "exit $status"
	[ "$status" -eq 143 ]
	[ "$(ls -A folder)" = a.snap ]
	cmp old folder/a.snap
}

@test "snapshot: saved to the file that it was restored from, it goes on" {
	save a.snap "$GUESTS/echo.elf"
	local i
	for i in 1 2 3; do
		nub restore --call echo_void --snapshot-on-exit a.snap a.snap
		ended 0 ok
	done
	nub restore --call count a.snap
	[ "$output" -eq 3 ]
	[ "$(field .snapshot.generation)" -eq 4 ]
}
