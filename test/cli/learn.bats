#!/usr/bin/env bats
# `nubrun restore --learn`: a snapshot that says which pages are needed first, and what becomes of the file.

load helper
load snapshot_helper

setup() {
	cd "$BATS_TEST_TMPDIR"
}

# Pages of a snapshot's working set, and those of them that are written; "null null" where it has none.
working_set() { # FILE
	"$NUBRUN" inspect --json "$1" | jq -r '.snapshot.working_set | "\(.pages) \(.written)"'
}

@test "learn: a copy of the snapshot knows what a call wrote, and is the same snapshot otherwise" {
	local engine pages written
	for engine in $(engines); do
		nub snapshot --engine "$engine" -o a.snap --heap 1M --call warm "$GUESTS/empty.elf" 262144
		ended 0 ok
		[ "$(working_set a.snap)" = "null null" ]
		cp a.snap before
		nub restore --engine "$engine" --learn b.snap --call rewrite a.snap 40
		ended 0 ok
		[ "$(field .saved.path)" = b.snap ]
		[ "$(field .saved.hash)" = "$(field .snapshot.hash)" ]
		cmp a.snap before
		read -r pages written <<<"$(working_set b.snap)"
		((written >= 40 && written < 64 && pages >= written))
		nub inspect b.snap
		holds ". | contains(\"working set   $pages pages, $written of them written\")" "$(jq -R -s . <<<"$output")"
		nub restore --engine "$engine" --call rewrite --verify b.snap 64
		ended 0 ok
		[ "$(field '.snapshot.working_set.written')" = "$written" ]
		# Layers stand on it as they do on the other.
		nub snapshot --engine "$engine" -o layer.snap --base a.snap --call rewrite a.snap 3
		ended 0 ok
		mv b.snap a.snap
		nub restore --engine "$engine" --call rewrite layer.snap 5
		ended 0 ok
	done
}

@test "learn: the file may be the snapshot itself, or a layer, which becomes one file" {
	local engine
	for engine in $(engines); do
		nub snapshot --engine "$engine" -o a.snap --heap 1M --call warm "$GUESTS/empty.elf" 262144
		nub snapshot --engine "$engine" -o layer.snap --base a.snap --call rewrite a.snap 9
		ended 0 ok
		nub restore --engine "$engine" --learn layer.snap --call rewrite layer.snap 5
		ended 0 ok
		[ "$(working_set layer.snap)" != "null null" ]
		rm a.snap
		nub restore --engine "$engine" --call rewrite layer.snap 5
		ended 0 ok
		[ "$(field .snapshot.layers)" -eq 1 ]
	done
}

@test "learn: a Linux program is thawed from it by both engines, with other input" {
	local by on
	for by in $(engines); do
		nub snapshot --engine "$by" -o shell.snap --until-output ready "$(command -v busybox)" \
			sh -c 'echo ready; read -r line; echo "got $line"; read -r line; echo "and $line"' </dev/null
		ended 0 ok
		nub restore --engine "$by" --learn shell.snap shell.snap <<<$'one\ntwo'
		ended 0 ok
		[ "${lines[0]}" = "got one" ]
		[ "${lines[1]}" = "and two" ]
		[ "$(working_set shell.snap)" != "null null" ]
		for on in $(engines); do
			nub restore --engine "$on" shell.snap <<<$'three\nfour'
			ended 0 ok
			[ "${lines[0]}" = "got three" ]
			[ "${lines[1]}" = "and four" ]
		done
	done
}

@test "learn: resets start from a learned snapshot as from any other, of however many pages it is" {
	local engine pages
	for engine in $(engines); do
		nub snapshot --engine "$engine" -o a.snap --heap 24M --call warm "$GUESTS/empty.elf" 16777216
		ended 0 ok
		for pages in 20 4096; do
			nub restore --engine "$engine" --learn b.snap --call rewrite a.snap "$pages"
			ended 0 ok
			nub restore --engine "$engine" --repeat 3 --reset --call rewrite b.snap 1
			ended 0 ok
			# Writing more than a reset puts back page by page.
			nub restore --engine "$engine" --repeat 3 --reset --call rewrite b.snap 4096
			ended 0 ok
		done
	done
}

@test "learn: a program that goes on for long after its first output is none the worse for it" {
	local engine
	for engine in $(engines); do
		nub snapshot --engine "$engine" -o a.snap --until-output ready "$(command -v busybox)" \
			sh -c 'f() { s=x; while [ ${#s} -lt 4194304 ]; do s=$s$s; done; }; f
				echo ready; read -r line; echo "$line"; f; f; echo ${#s}' </dev/null
		ended 0 ok
		nub restore --engine "$engine" --learn b.snap a.snap <<<go
		ended 0 ok
		[ "$output" = $'go\n4194304' ]
		[ "$(working_set b.snap)" != "null null" ]
	done
}

@test "learn: what the file has is read from the disk where it is not in memory" {
	local engine
	engine=$(engines | head -n 1)
	nub snapshot --engine "$engine" -o a.snap --heap 24M --call warm "$GUESTS/empty.elf" 16777216
	nub restore --engine "$engine" --learn a.snap --call rewrite a.snap 3000
	ended 0 ok
	dd if=a.snap iflag=nocache count=0 status=none
	nub restore --engine "$engine" --verify --call rewrite a.snap 3000
	ended 0 ok
}

@test "learn: a run that fails saves nothing, nor does one that can't" {
	local engine
	engine=$(engines | head -n 1)
	nub snapshot --engine "$engine" -o a.snap "$GUESTS/crash.elf"
	ended 0 ok
	nub restore --engine "$engine" --learn b.snap a.snap ud2
	[ "$(field .status)" = guest-crash ]
	[ ! -e b.snap ]
	nub restore --engine "$engine" --learn b.snap a.snap
	[ "$(field .status)" = guest-exit ]
	[ ! -e b.snap ]
	nub restore --engine "$engine" --learn "$BATS_TEST_TMPDIR" a.snap
	refused 125 io '*: Is a directory'
	nub restore --engine "$engine" --learn none/b.snap a.snap
	[ "$status" -eq 125 ]
	nub snapshot --engine "$engine" -o copies.snap --cow guest "$GUESTS/hello.elf"
	nub restore --engine "$engine" --learn b.snap copies.snap
	refused 125 usage '--learn: the guest of copies.snap copies its pages itself'
	nub restore --learn - a.snap
	refused 125 usage '--learn: stdout is where the guest prints'
	nub restore --learn b.snap --snapshot-on-exit c.snap --call x a.snap
	refused 125 usage '--learn: does not go together with --snapshot-on-exit'
	nub restore --learn b.snap --repeat 3 --call x a.snap
	refused 125 usage '--learn: does not go together with --repeat'
	nub run --learn b.snap "$GUESTS/hello.elf"
	refused 125 usage '*--learn*'
	[ ! -e b.snap ]
}
