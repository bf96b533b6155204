# shellcheck shell=bash
# What the tests of snapshots have in common.

# The policies of copy on write to test: both, unless NUBRUN_COW names one.
policies() {
	echo "${NUBRUN_COW-host guest}"
}

# Save a snapshot, quietly.
save() { # FILE ARG...
	local file=$1
	shift
	"$NUBRUN" snapshot -q -o "$file" "$@"
}

# A member of what inspect says.
about() { # SNAPSHOT JQ-FILTER
	"$NUBRUN" inspect --json "$1" | jq -r "$2"
}

# Bytes that a file takes on its disk.
stored() { # FILE
	echo $(($(stat -c %b "$1") * 512))
}

# Put bytes (in printf's notation) at an offset of a file.
poke() { # FILE OFFSET BYTES
	# shellcheck disable=SC2059 # the notation is the point
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# The offset of a snapshot's metadata: a u64 at offset 32.
metadata_offset() { # FILE
	od -An -tu8 -j32 -N8 "$1" | tr -d ' '
}

# The offset of a section's payload in a snapshot: sections follow each other, each u32 type, u32 flags, u64 size, payload.
section_offset() { # FILE TYPE
	local at type size
	at=$(metadata_offset "$1")
	while read -r type _ size < <(od -An -w16 -j"$at" -N8 -tu4 "$1" | tr '\n' ' ' && od -An -j$((at + 8)) -N8 -tu8 "$1") &&
		[ -n "$size" ]; do
		at=$((at + 16))
		[ "$type" -ne "$2" ] || { echo "$at" && return; }
		at=$((at + (size + 7) / 8 * 8))
	done
	return 1
}

# Make a snapshot's seals right again after its metadata was poked.
reseal() { # FILE
	"$TEST_TOOLS/reseal" "$1"
}

# A file system of its own, of a size in KiB, at a folder; skips the test where that is not allowed. Undo it with umount.
small_disk() { # FOLDER KIB
	mkdir -p "$1"
	mount -t tmpfs -o "size=${2}k" none "$1" 2>/dev/null || skip "can't mount a tmpfs here"
}
