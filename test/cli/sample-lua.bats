#!/usr/bin/env bats
# Lua: a host whose libraries and tables are loaded once, and a script for each copy.

load sample_helper

setup() {
	needs_kvm
	needs_sample lua
	program "$SAMPLES/lua"
}

@test "sample lua: each copy runs a script of its own, as without nubrun" {
	same_everywhere 'print(#primes, primes[#primes], _VERSION)' \
		$'local t = {}\nfor word in ("the quick brown fox"):gmatch("%a+") do t[#t + 1] = word:upper():reverse() end\ntable.sort(t)\nprint(table.concat(t, ","))' \
		'for i, x in ipairs { 1 / 3, 2^53, math.pi, 7 // 2, -7 % 3, 1 << 62, math.huge } do print(i, x, string.format("%q", x)) end' \
		$'local c = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i * primes[i]) end end)\nprint(c(), c(), c())' \
		'print(pcall(error, { code = 7 }), select(2, pcall(function() local x; x.y = 1 end)))' \
		'print(#string.rep("x", 2000000), collectgarbage("count") > 1000, utf8.len("grün"))'
}

@test "sample lua: scripts are arguments of a copy, as without nubrun" {
	same_with_arguments 'x = primes[10]' 'print(x, #primes)'
	same_with_arguments 'print "first"' 'error "stop"' 'print "never"'
}

@test "sample lua: what a script does wrong is an error of that copy alone" {
	same_everywhere 'error "stop"' 'x = = 1' 'os.exit(7)' 'print "well"'
}

@test "sample lua: a copy that was frozen again goes on with what its script made" {
	freeze
	nub snapshot -o "$SNAP.2" --until-output half "$SNAP" <<<'made = primes[100]; print "half"; io.stdout:flush(); print(made)'
	ended 0 ok
	for _ in 1 2; do
		nub restore "$SNAP.2"
		ended 0 ok
		[ "$output" = 541 ]
	done
}
