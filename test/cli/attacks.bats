#!/usr/bin/env bats
# The attacks of test/attacks: each ends as its page says, and leaves nothing behind.

load helper

PAGE=$ROOT/test/attacks/README.md

setup() {
	FOLDER=$BATS_TEST_TMPDIR/attack
	# The page names files without quotes: by a link whose name needs none.
	A=$BATS_TEST_TMPDIR/attacks
	ln -s "${GUESTS%/guests}/test/attacks" "$A"
}

# Run nubrun in a new folder and a session of its own, and look at what it leaves.
attempt() { # NUBRUN-ARG...
	local left sid=$BATS_TEST_TMPDIR/sid
	rm -rf "$FOLDER"
	mkdir "$FOLDER"
	cd "$FOLDER"
	# Standard input is a pipe that nothing ever comes through.
	mkfifo "$FOLDER.input" 2>/dev/null || true
	exec 4<>"$FOLDER.input"
	capture setsid --wait bash -c 'echo $$ >"$1" && exec timeout -s KILL "$2" "${@:3}"' - "$sid" "$(slow 60)" "$NUBRUN" "$@" <&4 4>&-
	exec 4>&-
	cd "$BATS_TEST_TMPDIR"
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		pgrep -s "$(cat "$sid")" >/dev/null || break
		pause 0.1
	done
	! pgrep -l -s "$(cat "$sid")" || return 1
	left=$(find "$FOLDER" -mindepth 1 -maxdepth 1 -printf '%f\n' | grep -vxE 'core|snap|a' || true)
	[ "$left" = "" ] || { echo "left: $left" && return 1; }
	if [ -e "$FOLDER/snap" ]; then
		"$NUBRUN" inspect --verify "$FOLDER/snap" >/dev/null
	fi
}

# The last attempt ended in one of these ways: `CODE STATUS or CODE STATUS`, or any with a status.
ended_so() { # ENDS
	local got
	got="$status $(field .status)"
	echo "ends: $got"
	[ "$1" != any ] || { [ -n "$(field '.status // ""')" ] && [ "$(field .exit_code)" -eq "$status" ] && return; }
	case " or $1 or " in *" or $got or "*) ;; *) return 1 ;; esac
	# What failed was not saved.
	[ "$status" -eq 0 ] || [ ! -e "$FOLDER/snap" ]
}

# The rows of the page: who runs it, what is run, how it ends.
rows() { # BY
	sed -nE 's/^\| ('"$1"') \| `(.*)` \| ([^|]*) \|.*/\1|\2|\3/p' "$PAGE"
}

# Try all rows of this kind by this engine.
try_rows() { # BY ENGINE
	local command ends before choices after choice tried=0
	export NUBRUN_ENGINE=$2 A
	while IFS='|' read -r _ command ends; do
		before=$command choices='' after=''
		case $command in *'{'*) before=${command%%'{'*} choices=${command#*'{'} after=${choices#*'}'} choices=${choices%%'}'*} ;; esac
		IFS=, read -ra choices <<<"$choices,"
		for choice in "${choices[@]}"; do
			echo "by $2: $before$choice$after"
			# The page quotes for the shell, and names $A.
			eval "attempt $before$choice$after"
			ended_so "$ends"
			tried=$((tried + 1))
		done
	done < <(rows "$1")
	[ "$tried" -gt 0 ]
}

@test "attacks: each file is on the page, and what the page names is there" {
	local file name where test
	for file in "$ROOT"/test/attacks/*/*.c; do
		name=$(basename "$file" .c)
		echo "$name"
		grep -qE "[/\$A]*/$name(\.elf|\.c| |\`)" "$PAGE"
		# A sentence on what it tries comes first.
		[[ $(head -n 1 "$file") == '/* '* ]]
	done
	while read -r where; do
		file=${where%%: *} test=${where#*: }
		echo "$where"
		[ -f "$ROOT/$file" ]
		[ "$test" = "$where" ] || grep -qF "@test \"$test\"" "$ROOT/$file"
	done < <(sed -nE 's/^\|.*\| (test\/[^|]*) \|$/\1/p' "$PAGE")
}

@test "attacks: guests by the process engine" {
	try_rows process process
	try_rows both process
}

@test "attacks: guests in virtual machines" {
	only_kvm
	try_rows both kvm
}

@test "attacks: kernels at privilege level 0" {
	only_kvm
	try_rows kvm kvm
}

@test "attacks: Linux programs in virtual machines" {
	only_kvm
	try_rows linux kvm
}

@test "attacks: Linux programs by the process engine" {
	try_rows linux process
}

@test "attacks: vectors and futexes at no address say what they say without nubrun" {
	local name expected engine
	for name in vectors futexes; do
		expected=$(timeout "$(slow 20)" "$A/$name")
		for engine in $(engines); do
			attempt run --engine "$engine" --timeout "$(slow 20)" "$A/$name"
			ended_so '0 ok'
			[ "$output" = "$expected" ]
		done
	done
}

@test "attacks: no two thaws have the same random bytes" {
	local snap=$BATS_TEST_TMPDIR/random.snap word
	needs_kvm
	nub snapshot -o "$snap" --until-output ready "$A/at-random"
	ended 0 ok
	local -a words=("${lines[0]}")
	for _ in 1 2 3; do
		nub restore "$snap"
		ended 0 ok
		words+=("${lines[-1]}")
	done
	# Fixed bytes and drawn ones, of the first life and three others.
	printf '%s\n' "${words[@]}"
	for word in 1 2; do
		[ "$(printf '%s\n' "${words[@]}" | cut -d ' ' -f "$word" | sort -u | grep -cE '^[0-9a-f]{32}$')" -eq 4 ]
	done
}

@test "attacks: nothing beside a granted folder is read or changed" {
	local jail=$BATS_TEST_TMPDIR/jail
	needs_kvm
	mkdir -p "$jail/granted/other"
	echo 'not for guests' >"$jail/secret"
	(
		cd "$jail" || exit 1
		while [ ! -e stop ]; do
			mv granted/other granted/swapped
			mv granted/swapped elsewhere
			mv elsewhere granted/other
		done
	) 2>/dev/null 3>&- &
	local mover=$!
	attempt run --timeout "$(slow 40)" --dir "$jail/granted:/granted:rw" "$A/paths"
	touch "$jail/stop"
	wait "$mover" || true
	ended_so '0 ok'
	[ "$output" = looked ]
	[ "$(cat "$jail/secret")" = 'not for guests' ]
	[ "$(find "$jail" -maxdepth 1 -mindepth 1 -printf '%f\n' | sort | tr '\n' ' ')" = 'granted secret stop ' ]
}

# The most memory, in KiB, that nubrun has while it runs so.
peak() { # NUBRUN-ARG...
	local pid now most=0
	"$NUBRUN" "$@" >/dev/null 2>&1 </dev/null 3>&- &
	pid=$!
	while now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status" 2>/dev/null) && [ -n "$now" ]; do
		most=$now
		sleep 0.02
	done
	wait "$pid" || true
	echo "$most"
}

@test "attacks: storms and hoards cost nubrun a bounded amount of memory" {
	local way kib
	! grep -q __asan_init "$NUBRUN" || skip "a sanitizer keeps memory of its own"
	for way in print log call; do
		kib=$(peak run --timeout 400ms "$A/storm.elf" "$way")
		echo "storm $way: $kib KiB"
		[ "$kib" -gt 0 ] && [ "$kib" -lt $((32 << 10)) ]
	done
	# What the program has itself is up to 64 MiB, and its files in memory as much.
	for way in areas tables pipes files names content threads links texts; do
		kib=$(peak run --timeout 1s --memory 64M "$A/hoard" "$way")
		echo "hoard $way: $kib KiB"
		[ "$kib" -gt 0 ] && [ "$kib" -lt $((160 << 10)) ]
	done
}
