#!/usr/bin/env bats
# The state test: at every checkpoint of a guest it is saved, its process ends, and a new one goes on. Nothing may differ from a
# run that was left alone: registers (XSAVE among them), memory, output (R23 R25 R27 R28 R31).

load helper
load snapshot_helper

setup() {
	needs_kvm
	cd "$BATS_TEST_TMPDIR"
}

# Offsets at which two snapshots of equal state differ: the seals of metadata (56 to 71) and header (240 to 255), and in the
# metadata the generation, 16 bytes behind its start.
same_but_generation() { # FIRST SECOND
	local generation=$(($(metadata_offset "$1") + 16)) offset
	[ "$(stat -c %s "$1")" -eq "$(stat -c %s "$2")" ]
	while read -r offset _; do
		offset=$((offset - 1))
		((offset >= 56 && offset < 72)) || ((offset >= 240 && offset < 256)) ||
			((offset >= generation && offset < generation + 8)) || {
			echo "differs at $offset"
			return 1
		}
	done < <(cmp -l "$1" "$2")
}

# Twelve checkpoints, each in a process of its own.
through_all_checkpoints() { # GUEST [OPTION...]
	local guest=$1 step=0
	shift
	"$NUBRUN" run -q "$guest" | sed 's/goes on/restored/' >undisturbed
	[ "$(wc -l <undisturbed)" -eq 13 ]
	: >disturbed
	save at.0 "$@" --until-checkpoint "$guest" >>disturbed
	while [ "$(about "at.$step" .snapshot.next)" = resume ] && [ "$step" -lt 11 ]; do
		[ "$(about "at.$step" .snapshot.generation)" -eq $((step + 1)) ]
		"$NUBRUN" inspect --verify "at.$step" >/dev/null
		# Restored and saved again without having run: the same in every byte that is about the guest.
		save again "at.$step"
		same_but_generation "at.$step" again
		save "at.$((step + 1))" --until-checkpoint "at.$step" >>disturbed
		[ "$(about "at.$step" .snapshot.hash)" != "$(about "at.$((step + 1))" .snapshot.hash)" ]
		step=$((step + 1))
	done
	[ "$step" -eq 11 ]
	nub restore "at.$step"
	ended 0 ok
	echo "$output" >>disturbed
	diff undisturbed disturbed
	# Any of them can be taken up again.
	nub restore at.3
	ended 0 ok
	[ "${lines[0]}" = "step 3: restored" ] && [ "${lines[1]}" = "step 4: goes on" ] && [ "${lines[-1]}" = "done" ]
}

@test "state: a guest is the same after every one of its checkpoints, the host copying (R31)" {
	[[ $(policies) == *host* ]] || skip "only --cow guest is asked for"
	through_all_checkpoints "$GUESTS/checkpoint.elf" --cow host
}

@test "state: the same, the guest copying (R26 R31)" {
	[[ $(policies) == *guest* ]] || skip "only --cow host is asked for"
	through_all_checkpoints "$GUESTS/checkpoint.elf" --cow guest
}

@test "state: the same for a relocated guest, either copying (R31)" {
	local cow
	for cow in $(policies); do
		through_all_checkpoints "$GUESTS/checkpoint.pie.elf" --cow "$cow"
	done
}

@test "state: the same with 2 MiB leaves in its heap (R25)" {
	local cow
	for cow in $(policies); do
		through_all_checkpoints "$GUESTS/checkpoint.elf" --cow "$cow" --heap 16M
	done
}

@test "state: checkpoints are passed unless asked for, and answer that the run goes on" {
	nub run "$GUESTS/checkpoint.elf"
	ended 0 ok
	[ "$(grep -c 'goes on' <<<"$output")" -eq 12 ]
	[ "$(field .checkpoint)" = null ]
}

@test "state: a guest with two address spaces keeps both, saved any number of times before it goes on (R20 R25)" {
	only_kvm
	local cow guest file
	for cow in $(policies); do
		for guest in two-spaces two-spaces.pie; do
			"$NUBRUN" run -q --cow "$cow" "$GUESTS/$guest.elf" >undisturbed
			save two.0 --cow "$cow" --until-checkpoint "$GUESTS/$guest.elf" >before
			save two.1 two.0
			save two.2 --base two.0 two.1
			save flat --flatten two.2
			for file in two.0 two.1 two.2 flat; do
				[ "$(about "$file" '[.spaces, .snapshot.next] | join(" ")')" = "2 resume" ]
				nub restore --verify "$file"
				ended 0 ok
				[ "${lines[0]}" = restored ]
				diff undisturbed <(cat before && sed 1d <<<"$output")
			done
			"$NUBRUN" restore -q - <two.1 >out
			[ "$(wc -l <out)" -eq 5 ]
			# Its memory is the same each time.
			nub inspect --diff two.0 flat
			[ "$output" = "no page differs" ]
		done
	done
}

@test "state: page-table roots that can't be are refused, with the file's name (R20)" {
	only_kvm
	local cow regs
	for cow in $(policies); do
		save two --cow "$cow" --until-checkpoint "$GUESTS/two-spaces.elf" >/dev/null
		# rsi is how many there are, rdi where: the 5th and 6th of the registers.
		regs=$(section_offset two 9)
		cp two many
		poke many $((regs + 32)) '\144'
		reseal many
		nub restore many
		refused 126 snapshot-field 'many: checkpoint: 100 page-table roots, at most 16 are kept'
		cp two nowhere
		poke nowhere $((regs + 40)) '\1\2\3\4\5\6'
		reseal nowhere
		nub restore nowhere
		refused 126 snapshot-field 'nowhere: *0x60504030201*'
	done
}

@test "state: 100 snapshots of snapshots stay the size of their contents (R27)" {
	local cow first _
	for cow in $(policies); do
		save chain --cow "$cow" "$GUESTS/echo.elf"
		first=$(stored chain)
		for _ in {1..100}; do
			save chain --call echo_void chain >/dev/null
		done
		[ "$(about chain .snapshot.generation)" -eq 101 ]
		[ "$(stored chain)" -le $((first + 32768)) ]
		nub restore --call count chain
		[ "$output" -eq 100 ]
	done
}

@test "state: a snapshot that fills its memory comes back whole, page by page (R25 R30)" {
	local cow
	for cow in $(policies); do
		nub run --cow "$cow" --heap 8M "$GUESTS/heap.elf"
		ended 0 ok
		local expected=$output
		save full --cow "$cow" --heap 8M "$GUESTS/heap.elf"
		nub restore full
		ended 0 ok
		[ "$output" = "$expected" ]
	done
}
