#!/usr/bin/env bats
# --trace (R37): the time line of a run, and -vv: each exit as a line.

load helper

setup() {
	needs_kvm
	TRACE=$BATS_TEST_TMPDIR/trace.json
}

# A jq filter over the trace's events; true ends with success, nothing does not.
events() { # FILTER
	local told
	told=$(jq -e "$1" "$TRACE") && [ -n "$told" ] && echo "$told"
}

@test "trace: spans nest, with the names and the order that the guest gave them (R37)" {
	nub run --trace "$TRACE" "$GUESTS/trace.elf" b a b
	ended 0 ok
	[ "${lines[*]}" = "1 a 2 b" ]
	[ "$(events '[.[] | select(.tid == 3 and (.ph == "B" or .ph == "E")) | .name // "end"] | join(" ")')" = \
		'"main sort b end a end b end end print end end"' ]
	# The viewers' rules: every event has a phase, a process and a thread; all but names have a time.
	events 'all(.[]; .ph and .pid and .tid)'
	events 'all(.[] | select(.ph != "M"); .ts >= 0)'
	events '[.[] | select(.ph == "M" and .name == "thread_name").args.name] == ["nubrun", "vCPU", "guest"]'
}

# The rules of the format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
follows_the_rules() {
	python3 - "$TRACE" <<-'END'
		import json, sys
		events = json.load(open(sys.argv[1]))
		slices, open_spans, last = {}, {}, {}
		for event in events:
		    assert isinstance(event["pid"], int) and isinstance(event["tid"], int) and event["cat"], event
		    assert event["ph"] in "MXBEiC" and event["ts"] >= 0 and ("name" in event or event["ph"] == "E"), event
		    tid = event["tid"]
		    if event["ph"] == "M":
		        assert event["name"] in ("process_name", "thread_name") and isinstance(event["args"]["name"], str), event
		    elif event["ph"] == "X":
		        assert event["dur"] >= 0, event
		        slices.setdefault(tid, []).append((event["ts"], event["ts"] + event["dur"]))
		    elif event["ph"] == "C":
		        assert all(isinstance(value, int) for value in event["args"].values()), event
		    elif event["ph"] == "i":
		        assert event["s"] in "gpt", event
		    else:
		        # Beginnings and ends of a thread come in the order of their times, and nest.
		        assert event["ts"] >= last.get(tid, 0), event
		        last[tid] = event["ts"]
		        open_spans[tid] = open_spans.get(tid, 0) + (1 if event["ph"] == "B" else -1)
		        assert open_spans[tid] >= 0, event
		assert not any(open_spans.values()), open_spans
		# Slices of a thread, in whatever order they are written, lie in or beside each other.
		assert not slices.keys() & open_spans.keys()
		for spans in slices.values():
		    stack = []
		    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
		        while stack and stack[-1] <= start + 0.0005:
		            stack.pop()
		        assert not stack or end <= stack[-1] + 0.0005, (start, end, stack)
		        stack.append(end)
	END
}

@test "trace: files follow the rules of the format, however the run ends" {
	nub run --trace "$TRACE" "$GUESTS/trace.elf" b a b
	ended 0 ok
	follows_the_rules
	local -a words
	mapfile -t words < <(printf 'word-%020d\n' {1..60})
	nub run --trace "$TRACE" --heap 4K "$GUESTS/trace.elf" "${words[@]}"
	ended 134 guest-crash
	follows_the_rules
	nub run --trace "$TRACE" --timeout "$(slow 100)ms" "$GUESTS/spin.elf"
	ended 124 timeout
	follows_the_rules
	nub snapshot -o "$BATS_TEST_TMPDIR/snap" --trace "$TRACE" "$GUESTS/trace.elf"
	ended 0 ok
	follows_the_rules
	nub restore --trace "$TRACE" --host-fn 'greet=echo 1' "$BATS_TEST_TMPDIR/snap" x y
	ended 0 ok
	follows_the_rules
	nub run --trace "$TRACE" --call add --repeat 20 "$GUESTS/calc.elf" 1 2
	ended 0 ok
	follows_the_rules
}

@test "trace: what the guest did lies inside the run, in order, on one clock (R37)" {
	nub run --trace "$TRACE" "$GUESTS/trace.elf"
	ended 0 ok
	events '[.[] | select(.tid == 3 and .ph != "M").ts] | . == sort'
	events '(.[] | select(.name == "run")) as $run |
		all(.[] | select(.tid > 1 and .ph != "M"); .ts >= $run.ts and .ts + (.dur // 0) <= $run.ts + $run.dur)'
	# Sent in one batch with the print that ends it, records lie in the guest's time before it.
	events '(map(select(.tid == 2 and .name == "guest"))[0]) as $first | (map(select(.name == "sort"))[0]) as $sort |
		$sort.ts >= $first.ts and $sort.ts <= $first.ts + $first.dur'
}

@test "trace: allocations with their sizes, and the heap in use, which comes back to 0 (R37)" {
	nub run --trace "$TRACE" "$GUESTS/trace.elf" one three
	ended 0 ok
	events '[.[] | select(.name == "malloc").args.asked] == [16 + 4, 16 + 6]'
	events 'all(.[] | select(.name == "malloc"); .args.taken >= .args.asked and (.args.address | test("^0x6")))'
	events '[.[] | select(.name == "malloc").args.address] == [.[] | select(.name == "free").args.address]'
	events '[.[] | select(.ph == "C").args.bytes] | .[0] > 0 and max == .[1] and .[-1] == 0'
	nub run --trace "$TRACE" "$GUESTS/heap.elf"
	ended 0 ok
	events 'any(.[]; .name == "malloc failed" and .args.taken == 0)'
	events '[.[] | select(.ph == "C").args.bytes] | .[-1] == 0'
}

@test "trace: phases, exits and host calls with their times (R37)" {
	nub run --trace "$TRACE" --host-fn 'greet=sleep 0.05; echo \"hi\"' "$GUESTS/callback.elf"
	ended 0 ok
	events '[.[] | select(.tid == 1 and .ph == "X").name] == ["load", "create", "run"]'
	events '[.[] | select(.cat == "exit").name] == ["call greet", "print", "halt"]'
	events '[.[] | select(.cat == "exit").args.port] == [101, 103, 108]'
	events '.[] | select(.name == "call greet") | .dur > 50000 and .dur < 5000000'
	events '.[] | select(.name == "print") | .args.bytes == 3'
	# The vCPU's slices follow each other without overlap, guest and host in turn.
	events '[.[] | select(.tid == 2 and .ph == "X")] | . as $all | all(range(1; length);
		$all[. - 1].ts + $all[. - 1].dur <= $all[.].ts + 0.002 and ((. % 2 == 1) == ($all[.].cat == "exit")))'
}

@test "trace: calls, repeated or not" {
	nub run --trace "$TRACE" --call count --repeat 3 "$GUESTS/trace.elf" '"word"'
	ended 0 ok
	events '[.[] | select(.name == "sort" and .ph == "B")] | length == 3'
	events '[.[] | select(.ph == "C").args.bytes] | .[-1] == 0'
}

@test "trace: a guest that is not traced sends nothing, and one that is gives the same output (R37)" {
	nub run "$GUESTS/trace.elf"
	[ "$(field .exits.trace)" -eq 0 ]
	local plain=$output
	nub run --trace "$TRACE" "$GUESTS/trace.elf"
	[ "$(field .exits.trace)" -gt 0 ]
	[ "$output" = "$plain" ]
	nub run --trace "$TRACE" --log-level info "$GUESTS/log.elf"
	[ "$output" = "level 3, trace skipped" ]
}

@test "trace: checkpoints, also of guests without the runtime, answer as without a trace" {
	only_kvm
	local guest
	for guest in checkpoint two-spaces; do
		nub run "$GUESTS/$guest.elf"
		local plain=$output plain_status=$status
		nub run --trace "$TRACE" "$GUESTS/$guest.elf"
		[ "$status" -eq "$plain_status" ]
		[ "$output" = "$plain" ]
		events 'any(.[]; .name == "checkpoint" and .args.port == 110)'
	done
}

@test "trace: records for which a waiting reply leaves no room wait for the next batch (R37)" {
	# 4080 bytes are the ring's largest item: the reply has 6 more than its bytes.
	nub run --trace "$TRACE" --output 4K --call make_bytes --repeat 3 "$GUESTS/echo.elf" 4074
	ended 0 ok
	events '[.[] | select(.name == "malloc")] | length == 3'
	events '[.[] | select(.name == "free")] | length == 2'
	nub run --trace "$TRACE" --output 4K --call make_bytes --repeat 3 "$GUESTS/echo.elf" 40
	ended 0 ok
	events '[.[] | select(.name == "free")] | length == 3'
}

@test "trace: valid JSON, open spans ended, after a crash, a time-out and an abort" {
	nub run --trace "$TRACE" "$GUESTS/crash.elf" null
	ended 134 guest-crash
	events '.[-1].name == "run" and any(.[]; .name == "exception")'
	nub run --trace "$TRACE" --timeout "$(slow 50)ms" "$GUESTS/spin.elf"
	ended 124 timeout
	events 'any(.[]; .name == "interrupted")'
	nub run --trace "$TRACE" "$GUESTS/crash.elf" abort
	ended 134 guest-crash
	# The heap is full within three spans.
	local -a words
	mapfile -t words < <(printf 'word-%020d\n' {1..60})
	nub run --trace "$TRACE" --heap 4K "$GUESTS/trace.elf" "${words[@]}"
	ended 134 guest-crash
	[[ $(field .crash.message) == *"no heap for 'word-"* ]]
	events '([.[] | select(.ph == "B")] | length) == ([.[] | select(.ph == "E")] | length)'
	events 'any(.[]; .name == "malloc failed")'
}

@test "trace: nubrun killed leaves what there was, complete but for the end of the list" {
	"$NUBRUN" run --timeout "$(slow 10)s" --trace "$TRACE" "$GUESTS/spin.elf" >"$BATS_TEST_TMPDIR/out" 2>&1 &
	local pid=$! status=0
	while ! grep -q spinning "$BATS_TEST_TMPDIR/out" || ! grep -q '"print"' "$TRACE"; do
		kill -0 "$pid" || return 1
		sleep 0.05
	done
	kill -KILL "$pid"
	wait "$pid" || status=$?
	[ "$status" -eq 137 ]
	echo ']' >>"$TRACE"
	events '.[-1].name == "print" and all(.[]; .ph and .pid and .tid)'
}

@test "trace: hostile batches are a crash that says what is wrong, and only when somebody listens (R37)" {
	local how guest=$TEST_GUESTS/bad-trace.elf
	for how in short kind name; do
		nub run --trace "$TRACE" "$guest" "$how"
		ended 134 guest-crash
		[ "$(field .crash.kind)" = abi ]
		events 'length > 0'
		nub run "$guest" "$how"
		ended 0 ok
		[ "$output" = "traced 0" ]
	done
	nub run --trace "$TRACE" "$guest" kind
	[[ $(field .crash.message) == *"the trace record at offset 8 is 77, it must be 1 to 4"* ]]
	nub run --trace "$TRACE" "$guest" ends
	ended 0 ok
	[ "$output" = "traced 1" ]
	events 'any(.[]; .ph == "E") | not'
	nub run --trace "$TRACE" "$guest" flood
	ended 0 ok
	events '[.[] | select(.name == "trace")] | length == 290'
}

@test "trace: names that JSON has to escape" {
	nub run --trace "$TRACE" "$GUESTS/trace.elf" $'a"b\\\x01\x7f' $'\xff'
	ended 0 ok
	events 'any(.[]; .name == "a\"b\\\u0001\u007f") and any(.[]; .name == "\ufffd")'
	run ! env LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f]' "$TRACE"
}

@test "trace: a file that can't be written is refused before the guest runs; a full disk is an error at the end" {
	nub run --trace "$BATS_TEST_TMPDIR/no/trace" "$GUESTS/hello.elf"
	refused 125 io '--trace: can*t write */no/trace: No such file or directory'
	[ "$output" = "" ]
	nub run --trace "$BATS_TEST_TMPDIR" "$GUESTS/hello.elf"
	refused 125 io '*Is a directory'
	nub run --trace /dev/full "$GUESTS/hello.elf"
	refused 125 io '--trace: can*t write /dev/full: No space left on device'
	[[ $output == Hello* ]]
}

@test "trace: -vv is a line for each exit, and -q for none" {
	nub run -vv --host-fn 'greet=echo \"hi\"' "$GUESTS/callback.elf"
	ended 0 ok
	[ "${#stderr_lines[@]}" -eq 4 ]
	[[ ${stderr_lines[0]} =~ ^'exit: call greet (port 101), '[0-9]+' bytes; '[0-9.]+' us in the guest, '[0-9.]+' us in the host'$ ]]
	[[ ${stderr_lines[1]} == 'exit: print (port 103), 3 bytes; '* ]]
	[[ ${stderr_lines[2]} == 'exit: halt (port 108); '* ]]
	nub run -v "$GUESTS/hello.elf"
	[ "${#stderr_lines[@]}" -eq 1 ]
	nub run -vvq "$GUESTS/hello.elf"
	[ "$stderr" = "" ]
	nub run -vv "$GUESTS/crash.elf" bad-port
	[[ $stderr == *'exit: exception; '* ]]
}

@test "trace: snapshot and restore have it too, and a restored guest is traced as its command line says (R37)" {
	local snap=$BATS_TEST_TMPDIR/one.snap
	nub snapshot -o "$snap" --until-checkpoint "$GUESTS/checkpoint.elf"
	[ "$status" -eq 0 ]
	nub restore --trace "$TRACE" "$snap"
	ended 0 ok
	events 'any(.[]; .name == "free")'
	events '[.[] | select(.tid == 1 and .ph == "X").name] == ["load", "create", "run"]'
	nub snapshot -o "$snap" --trace "$TRACE" --until-checkpoint "$GUESTS/checkpoint.elf"
	[ "$status" -eq 0 ]
	events '[.[] | select(.tid == 1 and .ph == "X").name] == ["load", "create", "run", "save"]'
	events 'any(.[]; .name == "malloc")'
	nub restore "$snap"
	ended 0 ok
	[ "$(field .exits.trace)" -eq 0 ]
	nub restore --trace "$TRACE" --call count --repeat 3 --reset "$snap" 1
	[ "$status" -eq 125 ]
	nub snapshot -o "$snap" "$GUESTS/trace.elf"
	nub restore --trace "$TRACE" --call count --repeat 3 --reset "$snap" '"word"'
	ended 0 ok
	events '[.[] | select(.name == "sort" and .ph == "B")] | length == 3'
	events '[.[] | select(.tid == 3 and .ph != "M").ts] | . == sort'
	nub snapshot -o "$snap.flat" --flatten --trace "$TRACE" "$snap"
	refused 125 usage '--flatten: *--trace'
}
