#!/usr/bin/env bats
# Linux programs frozen and thawed: where they stop, that each copy goes on as if nothing had been, and what it gets anew.

load helper

PROGRAMS=${GUESTS%/guests}/test/linux

setup() {
	needs_kvm
	SNAP=$BATS_TEST_TMPDIR/program.snap
}

@test "linux freeze: threads, waits, timers, pipes and rights go on in every copy" {
	nub snapshot -o "$SNAP" --until-output ready "$PROGRAMS/frozen"
	ended 0 ok
	[ "$output" = ready ]
	[ "$(field .checkpoint)" = true ]
	for _ in 1 2 3; do
		nub restore "$SNAP"
		ended 7 guest-exit
		[ "${lines[0]}" = 'another pid, other bytes, clock went on' ]
		[ "${lines[1]}" = 'kept, wiped' ]
		[ "${lines[2]}" = 'the pipe says done' ]
		[ "${lines[3]}" = '6 answers' ]
	done
}

@test "linux freeze: after a time, in the middle of whatever it does" {
	nub snapshot -o "$SNAP" --after 30ms "$PROGRAMS/frozen"
	ended 0 ok
	nub restore "$SNAP"
	ended 7 guest-exit
	[ "${lines[-1]}" = '6 answers' ]
	nub snapshot -o "$SNAP" --after 20ms "$PROGRAMS/faults"
	ended 0 ok
	local before=$output
	nub restore "$SNAP"
	ended 3 guest-exit
	[ "$("$PROGRAMS/faults")" = "$(printf '%s\n%s' "$before" "$output" | sed '/^$/d')" ]
}

@test "linux freeze: before a system call, which the copy then makes" {
	nub snapshot -o "$SNAP" --until-syscall write:2 "$(command -v busybox)" sh -c 'echo one; echo two; echo three'
	ended 0 ok
	[ "$output" = one ]
	nub restore "$SNAP"
	ended 0 ok
	[ "$output" = $'two\nthree' ]
}

@test "linux freeze: a copy can be frozen again" {
	nub snapshot -o "$SNAP" --until-output one "$(command -v busybox)" sh -c 'for i in one two three; do echo $i; done'
	ended 0 ok
	nub snapshot -o "$SNAP.2" --until-output two "$SNAP"
	ended 0 ok
	[ "$output" = two ]
	nub restore "$SNAP.2"
	ended 0 ok
	[ "$output" = three ]
	nub restore "$SNAP"
	[ "$output" = $'two\nthree' ]
}

@test "linux freeze: memory that is writable and executable is thawed where it is allowed again" {
	local engine program=$PROGRAMS/written
	for engine in $(engines); do
		export NUBRUN_ENGINE=$engine
		nub run "$program"
		ended 3 guest-exit
		nub snapshot --allow-wx --until-output ready -o "$SNAP" "$program"
		ended 0 ok
		nub restore "$SNAP"
		refused 125 snapshot-grant '*program.snap: the area at 0x* is writable and executable, which is not allowed'
		[[ $(field .error.hint) == *--allow-wx* ]]
		nub restore --allow-wx "$SNAP"
		ended 0 ok
		[ "$output" = 42 ]
		nub snapshot --allow-wx --until-syscall exit_group -o "$SNAP.2" "$SNAP"
		ended 0 ok
		nub restore --allow-wx "$SNAP.2"
		ended 0 ok
	done
}

@test "linux freeze: mappings of one file are still of one file in a copy" {
	nub snapshot -o "$SNAP" --until-output ready "$PROGRAMS/shared"
	ended 0 ok
	local before=$output
	nub restore "$SNAP"
	ended 0 ok
	[ "$("$PROGRAMS/shared")" = "$before"$'\n'"$output" ]
}

@test "linux freeze: pages that are read in a copy, then written, are what was written" {
	nub snapshot -o "$SNAP" --until-output ready "$PROGRAMS/kept"
	ended 0 ok
	local before=$output
	nub restore "$SNAP"
	ended 0 ok
	[ "$("$PROGRAMS/kept")" = "$before"$'\n'"$output" ]
	nub snapshot --base "$SNAP" -o "$BATS_TEST_TMPDIR/layer.snap" --until-output 'from a pipe' "$SNAP"
	ended 0 ok
	before+=$'\n'$output
	nub restore "$BATS_TEST_TMPDIR/layer.snap"
	ended 0 ok
	[ "$("$PROGRAMS/kept")" = "$before"$'\n'"$output" ]
}

# Where a sandbox for CI often has its files.
@test "linux freeze: a snapshot on a file system that code can't be run from is restored as any other" {
	local folder=$BATS_TEST_TMPDIR/noexec
	nub snapshot -o "$SNAP" --until-output ready "$PROGRAMS/kept"
	ended 0 ok
	nub snapshot -o "$BATS_TEST_TMPDIR/calc.snap" "$GUESTS/calc.elf"
	ended 0 ok
	mkdir "$folder"
	mount -t tmpfs -o noexec none "$folder" 2>/dev/null || skip "can't mount a tmpfs here"
	cp "$SNAP" "$BATS_TEST_TMPDIR/calc.snap" "$folder"
	nub restore "$folder/program.snap"
	ended 0 ok
	nub restore --call add "$folder/calc.snap" 2 3
	ended 0 ok
	[ "$output" = 5 ]
	umount "$folder"
}

@test "linux freeze: a dynamic program takes its libraries along, as far as they are granted" {
	nub snapshot -o "$SNAP" --rootfs / --until-output ready "$PROGRAMS/frozen.dynamic"
	ended 0 ok
	nub restore --rootfs / "$SNAP"
	ended 7 guest-exit
	[ "${lines[3]}" = '6 answers' ]
}

@test "linux freeze: standard input is the copy's own" {
	nub snapshot -o "$SNAP" --until-syscall read "$(command -v busybox)" cat </dev/null
	ended 0 ok
	nub restore "$SNAP" <<<"new input"
	ended 0 ok
	[ "$output" = 'new input' ]
}

@test "linux freeze: what never comes to where it was to stop is an error, and leaves no file" {
	nub snapshot -o "$SNAP" --until-output never "$(command -v busybox)" echo hi
	refused 125 state '*ended with exit code 0 before*'
	[ ! -e "$SNAP" ]
	nub snapshot -o "$SNAP" "$(command -v busybox)" echo hi
	[ "$status" -eq 125 ]
}

# Wait until the process runs from the snapshot: it has the file mapped long before, and confines itself last of all.
runs_from_it() { # PID
	local i
	for ((i = 0; i < $(slow 400); i++)); do
		! grep -q $'^NoNewPrivs:\t1' "/proc/$1/status" || break
		sleep 0.05
	done
	grep -q "$SNAP" "/proc/$1/maps"
	pause 0.1
}

# Thaw a program that waits for input, do something to its file, and then let it have some.
changed_meanwhile() { # COMMAND...
	local input=$BATS_TEST_TMPDIR/input pid
	mkfifo "$input"
	"$NUBRUN" restore --timeout "$(slow 20)s" "$SNAP" <"$input" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
	pid=$!
	exec 4>"$input"
	runs_from_it "$pid"
	"$@"
	# It may have touched what is gone already, and be gone itself.
	(trap '' PIPE && echo hello >&4 2>/dev/null) || true
	exec 4>&-
	status=0
	wait "$pid" || status=$?
	json=$(tail -n 1 "$BATS_TEST_TMPDIR/err")
	echo "exit $status: $json"
	rm "$input"
}

@test "linux freeze: a file that is cut or overwritten while a program runs from it ends the run with an error" {
	local size
	nub snapshot -o "$SNAP.good" --until-syscall read "$(command -v busybox)" cat </dev/null
	ended 0 ok
	for size in 0 4096 8192 65536; do
		cp "$SNAP.good" "$SNAP"
		changed_meanwhile truncate -s "$size" "$SNAP"
		refused 125 io '*program.snap: was written to while a guest ran from it*'
	done
	cp "$SNAP.good" "$SNAP"
	changed_meanwhile dd if=/dev/urandom of="$SNAP" bs=4096 seek=1 count=40 conv=notrunc status=none
	refused 125 io '*program.snap: was written to while a guest ran from it*'
	# Replaced by a rename it is another file, and the run goes on.
	cp "$SNAP.good" "$SNAP"
	changed_meanwhile mv "$SNAP.good" "$SNAP"
	ended 0 ok
	[ "$(cat "$BATS_TEST_TMPDIR/out")" = hello ]
}

@test "linux freeze: a copy whose file was cut can't be saved" {
	nub snapshot -o "$SNAP" --until-syscall read "$(command -v busybox)" cat </dev/null
	ended 0 ok
	local input=$BATS_TEST_TMPDIR/input
	mkfifo "$input"
	"$NUBRUN" snapshot -o "$SNAP.2" --after "$(slow 1)s" "$SNAP" <"$input" >/dev/null 2>"$BATS_TEST_TMPDIR/err" 3>&- &
	exec 4>"$input"
	runs_from_it $!
	truncate -s 65536 "$SNAP"
	status=0
	wait $! || status=$?
	exec 4>&-
	json=$(tail -n 1 "$BATS_TEST_TMPDIR/err")
	refused 125 io '*program.snap: was written to while a guest ran from it*'
	[ ! -e "$SNAP.2" ]
}

@test "linux freeze: a damaged, a cut and a foreign file are refused by name" {
	nub snapshot -o "$SNAP" --until-output one "$(command -v busybox)" echo one
	ended 0 ok
	head -c 5000 "$SNAP" >"$SNAP.cut"
	nub restore "$SNAP.cut"
	[ "$(field .error.code)" = snapshot-truncated ]
	cp "$SNAP" "$SNAP.bad"
	printf 'x' | dd of="$SNAP.bad" bs=1 seek=$(($(stat -c %s "$SNAP") - 2000)) conv=notrunc status=none
	nub restore "$SNAP.bad"
	[ "$(field .error.code)" = snapshot-corrupt ]
	# The memory is compared with its hash by those who ask for it.
	cp "$SNAP" "$SNAP.bad"
	printf 'x' | dd of="$SNAP.bad" bs=1 seek=20000 conv=notrunc status=none
	nub restore --verify "$SNAP.bad"
	refused 126 snapshot-corrupt '*does not match its hash*'
	nub restore --verify "$SNAP"
	ended 0 ok
	cp "$SNAP" "$SNAP.new"
	printf '\x09' | dd of="$SNAP.new" bs=1 seek=12 conv=notrunc status=none
	nub restore "$SNAP.new"
	[ "$(field .error.code)" = snapshot-version ]
}

@test "linux freeze: layers hold what changed, wherever the program was frozen again" {
	local busybox
	busybox=$(command -v busybox)
	nub snapshot -o "$SNAP" --until-output one "$busybox" sh -c 'for i in one two three; do echo $i; done'
	ended 0 ok
	nub snapshot -o "$SNAP.2" --base "$SNAP" --until-output two "$SNAP"
	ended 0 ok
	[ "$(field .saved.layers)" -eq 2 ]
	[ "$(($(stat -c %b "$SNAP.2") * 4))" -lt "$(stat -c %b "$SNAP")" ]
	nub restore "$SNAP.2"
	ended 0 ok
	[ "$output" = three ]
	nub snapshot -o "$SNAP.flat" --flatten "$SNAP.2"
	ended 0 ok
	rm "$SNAP"
	nub restore "$SNAP.2"
	[ "$(field .error.code)" = snapshot-base ]
	nub restore --verify "$SNAP.flat"
	[ "$output" = three ]
}

@test "linux freeze: what is saved of a program is told like any snapshot" {
	nub snapshot -o "$SNAP" --until-output one "$(command -v busybox)" sh -c 'for i in one two; do echo $i; done'
	ended 0 ok
	nub snapshot -o "$SNAP.2" --until-output two "$SNAP"
	ended 0 ok
	capture "$NUBRUN" inspect --verify --json "$SNAP"
	holds '.kind == "snapshot" and .verified and .guest.type == "linux" and .snapshot.next == "resume"' "$output"
	holds '[.memory[].type] | index("Code") != null and index("Stack") != null' "$output"
	holds '.program | .arguments[2] == "-c" and (.threads | length) == 1 and .files[1].fd == 1' "$output"
	capture "$NUBRUN" inspect "$SNAP"
	[[ $output == *$'\nthreads\n  1000   busybox'* ]]
	capture "$NUBRUN" inspect --diff "$SNAP" --json "$SNAP.2"
	holds '.pages > 0 and .pages < 40' "$output"
	capture "$NUBRUN" dump "$SNAP"
	[ "$status" -eq 0 ]
	[[ $output == *stack* ]]
	capture "$NUBRUN" dump --core "$BATS_TEST_TMPDIR/core" "$SNAP"
	[ "$status" -eq 0 ]
	capture gdb -batch -ex 'info registers rip' -ex 'x/2i $rip' "$(command -v busybox)" "$BATS_TEST_TMPDIR/core"
	[[ $output == *'syscall'* ]] || [[ $output == *rip* ]]
}

@test "linux freeze: a copy needs the memory that its pages take, and what it has not is refused" {
	nub snapshot -o "$SNAP" --until-output one "$(command -v busybox)" \
		awk 'BEGIN { s = "x"; for (i = 0; i < 22; i++) s = s s; print "one"; print length(s) }'
	ended 0 ok
	nub restore --memory 1M "$SNAP"
	refused 125 memory-too-small '*take * bytes of memory, 2097152 were given*'
	nub restore --memory 64M "$SNAP"
	ended 0 ok
	nub restore "$SNAP" more
	refused 125 usage '*takes no arguments*'
	nub run --cow guest "$(command -v busybox)"
	refused 125 usage '*--cow*'
}

@test "linux freeze: what was granted is granted again, from anywhere, or nothing runs" {
	local dir=d:/d:rw file=f:/etc/data tmpfs=/mem
	cd "$BATS_TEST_TMPDIR"
	mkdir d other
	echo first >d/f
	echo second >f
	nub snapshot -o "$SNAP" --dir "$dir" --file "$file" --tmpfs "$tmpfs" --until-output ready "$(command -v busybox)" \
		sh -c 'exec 3</d/f; echo third >/mem/x; echo ready; read -r line <&3; echo "$line"; read -r line </etc/data; echo "$line"; read -r line </mem/x; echo "$line"'
	ended 0 ok
	cp -pr d moved
	echo 'other second' >g
	nub restore --dir moved:/d:rw --file g:/etc/data --tmpfs "$tmpfs" --dir other:/other "$SNAP"
	ended 0 ok
	[ "$output" = $'first\nother second\nthird' ]
	nub restore "$SNAP"
	refused 125 snapshot-grant '*granted the directory /d, and is granted nothing there now'
	nub restore --dir "$dir" --tmpfs "$tmpfs" "$SNAP"
	refused 125 snapshot-grant '*granted the file /etc/data, and is granted nothing there now'
	nub restore --dir "$dir" --file "$file" "$SNAP"
	refused 125 snapshot-grant '*granted the directory in memory /mem, and is granted nothing there now'
	nub restore --dir "$dir" --dir other:/etc/data --tmpfs "$tmpfs" "$SNAP"
	refused 125 snapshot-grant '*granted the file /etc/data, and is granted a directory there now'
	nub restore --dir d:/d --file "$file" --tmpfs "$tmpfs" "$SNAP"
	refused 125 snapshot-grant '*could write to /d, which it is granted for reading alone now'
	[ "$output" = "" ]
	nub restore --dir nowhere:/d:rw --file "$file" --tmpfs "$tmpfs" "$SNAP"
	[ "$status" -eq 127 ]
}

@test "linux freeze: libraries of another time than the program's are an error before it goes on" {
	local root=$BATS_TEST_TMPDIR/root library
	for library in $(ldd "$PROGRAMS/frozen.dynamic" | grep -o '/[^ ]*'); do
		install -D "$library" "$root$library"
	done
	nub snapshot -o "$SNAP" --rootfs "$root" --until-output ready "$PROGRAMS/frozen.dynamic"
	ended 0 ok
	nub restore --rootfs "$root" "$SNAP"
	ended 7 guest-exit
	nub restore "$SNAP"
	refused 125 snapshot-grant '*granted the directory /, and is granted nothing there now'
	touch -d @1000000000.5 "$root$library"
	nub restore --rootfs "$root" "$SNAP"
	refused 126 snapshot-file '*has changed since*it was written at * and at 1000000000.500000000'
	[ "$output" = "" ]
	rm "$root$library"
	nub restore --accept-changed --rootfs "$root" "$SNAP"
	refused 126 snapshot-file '*had * open: No such file or directory'
}

@test "linux freeze: a file that it had open and that has changed is an error, unless that is accepted" {
	local grant=$BATS_TEST_TMPDIR/d:/d
	mkdir "$BATS_TEST_TMPDIR/d"
	echo first >"$BATS_TEST_TMPDIR/d/f"
	nub snapshot -o "$SNAP" --dir "$grant" --until-output ready "$(command -v busybox)" \
		sh -c 'exec 3</d/f; echo ready; read -r line <&3; echo "$line"'
	ended 0 ok
	nub restore --dir "$grant" "$SNAP"
	ended 0 ok
	[ "$output" = first ]
	echo 'another line' >"$BATS_TEST_TMPDIR/d/f"
	nub restore --dir "$grant" "$SNAP"
	refused 126 snapshot-file '*/d/f has changed since *it had 6 bytes and has 13'
	[[ $(field .error.hint) == *--accept-changed* ]]
	[ "$output" = '' ]
	nub restore --accept-changed --dir "$grant" "$SNAP"
	ended 0 ok
	[ "$output" = 'another line' ]
	rm "$BATS_TEST_TMPDIR/d/f"
	mkdir "$BATS_TEST_TMPDIR/d/f"
	nub restore --accept-changed --dir "$grant" "$SNAP"
	refused 126 snapshot-file '*/d/f is of another type*'
}
