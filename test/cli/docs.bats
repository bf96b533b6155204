#!/usr/bin/env bats
# --help, manual page and completion say what the option tables say.

load helper

@test "docs: help, manual pages and completion agree with the tables of options and of calls" {
	run "$ROOT/scripts/check-docs" "$NUBRUN"
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "docs: the check notices an option that the manual page lacks, or has too much" {
	local tree="$BATS_TEST_TMPDIR/tree"
	mkdir -p "$tree/scripts" "$tree/man"
	cp "$ROOT/scripts/check-docs" "$tree/scripts"
	cp "$ROOT/man/nub-linux.7" "$tree/man"
	sed '/^\.It Fl -executable-heap/d' "$ROOT/man/nubrun.1" >"$tree/man/nubrun.1"
	run "$tree/scripts/check-docs" "$NUBRUN"
	[ "$status" -eq 1 ]
	[[ $output == *"--executable-heap"* ]]
	sed 's/^\.It Fl -map Ns = Ns Ar FILE.*/&\n.It Fl -mop/' "$ROOT/man/nubrun.1" >"$tree/man/nubrun.1"
	sed -i '0,/^\.It Fl -seed/s//.It Fl -sead\n&/' "$tree/man/nubrun.1"
	run "$tree/scripts/check-docs" "$NUBRUN"
	[ "$status" -eq 1 ]
	[[ $output == *"--sead"* ]]
}

@test "docs: the check notices a system call that the manual page lacks, has too much or in another family" {
	local tree="$BATS_TEST_TMPDIR/tree"
	mkdir -p "$tree/scripts" "$tree/man"
	cp "$ROOT/scripts/check-docs" "$tree/scripts"
	cp "$ROOT/man/nubrun.1" "$tree/man"
	sed 's/^pipe, pipe2$/pipe, pipe3/; s/^\.It rename$/.It renames/' "$ROOT/man/nub-linux.7" >"$tree/man/nub-linux.7"
	run "$tree/scripts/check-docs" "$NUBRUN"
	[ "$status" -eq 1 ]
	[[ $output == *'lacks: pipes pipe2'* && $output == *'have not: pipes pipe3'* && $output == *'lacks: rename renameat2'* ]]
}

# What completion offers for a command line that ends here.
complete_line() { # WORD...
	run bash -c '
		eval "$("$1" completion bash)"
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_nubrun
		printf "%s\n" "${COMPREPLY[@]}"' - "$NUBRUN" "$@"
	echo "$output"
}

@test "docs: completion offers commands, options, values and files" {
	complete_line nubrun i
	[ "$output" = inspect ]
	complete_line nubrun run --exec
	[ "$output" = --executable-heap ]
	complete_line nubrun run --log-level t
	[ "$output" = trace ]
	complete_line nubrun run --log-format = j
	[ "$output" = json ]
	complete_line nubrun check --m
	[ "$output" = "" ]
	complete_line nubrun help c
	[ "$output" = check ]
	complete_line nubrun run "$GUESTS/hello.pie.e"
	[ "${lines[0]}" = "$GUESTS/hello.pie.elf" ]
	touch "$BATS_TEST_TMPDIR/two words.elf"
	complete_line nubrun inspect "$BATS_TEST_TMPDIR/two"
	[ "$output" = "$BATS_TEST_TMPDIR/two words.elf" ]
	complete_line nubrun run --init-data "$BATS_TEST_TMPDIR/two"
	[ "$output" = "$BATS_TEST_TMPDIR/two words.elf" ]
	complete_line nubrun run --heap 1
	[ "$output" = "" ]
	complete_line nubrun ""
	[[ $output != *completion* ]]
}

@test "docs: every line of help fits a terminal of 100 columns" {
	local command
	for command in '' run snapshot restore inspect dump check help; do
		# shellcheck disable=SC2086 # nothing, where there is no command
		nub help $command
		[ "$(awk '{ if (length > 100) print }' <<<"$output")" = "" ]
	done
}

@test "docs: the examples of the manual page run" {
	needs_kvm
	local line folder="$BATS_TEST_TMPDIR/examples" count=0
	mkdir "$folder"
	cd "$folder"
	cp "$GUESTS"/{hello,calc,callback,spin,checkpoint,trace,crash}.elf .
	echo data >table.bin
	cp "$GUESTS/mapfile.elf" .
	while read -r line; do
		echo "$line"
		run bash -c "nubrun() { '$NUBRUN' \"\$@\"; }; $line"
		[ "$status" -eq 0 ] || [[ $line == *--timeout* && $status -eq 124 ]] || [[ $line == *crash.elf* && $status -eq 134 ]]
		count=$((count + 1))
	done < <(sed -n '/^\.Sh EXAMPLES/,/^\.Sh /s/^\.Dl \$ //p' "$ROOT/man/nubrun.1" | sed 's/\\&//g; s/\\e/\\/g; s/\\(aq/'"'"'/g; s/\\(dq/"/g')
	[ "$count" -ge 6 ]
}

@test "docs: every mechanism that tests and sources name by its row is in nub-internals(7), R1 to R37" {
	cd "$ROOT"
	sed -n 's/^\.It R\([0-9]*\)$/\1/p' man/nub-internals.7 >"$BATS_TEST_TMPDIR/told"
	diff <(seq 37) "$BATS_TEST_TMPDIR/told"
	grep -rhoE '\bR[0-9]{1,2}\b' lib test/unit test/cli test/fuzz test/guests --include='*.[chS]' --include='*.bats' |
		sed 's/R//' | sort -nu >"$BATS_TEST_TMPDIR/named"
	[ -s "$BATS_TEST_TMPDIR/named" ]
	[ -z "$(comm -23 <(sort "$BATS_TEST_TMPDIR/named") <(sort "$BATS_TEST_TMPDIR/told"))" ]
}
