#!/usr/bin/env bats
# CPython: its modules and a table are loaded once, and each copy answers requests in JSON.

load sample_helper

setup() {
	needs_kvm
	/usr/bin/python3 -c 'import decimal, json, re, sqlite3, ssl' || skip "no /usr/bin/python3 with its modules"
	program /usr/bin/python3 "$ROOT/guests/linux/request.py"
	granted_root "$ROOT/guests/linux"
}

@test "sample python: each copy answers its own requests, as without nubrun" {
	same_everywhere '{"orders": ["3 pear", "2 plum"]}' \
		$'{"orders": ["7 plum"]}\n{"orders": []}\n{"orders": ["1000 quince", "1 pear"]}' \
		$'{"orders": ["1 apple"]}\n{"orders": ["pear"]}\n{}\n{"orders": 7}' \
		$'{"orders": ["1 pear"]}\nthis is no JSON\n'
}

@test "sample python: requests are arguments of a copy, as without nubrun" {
	same_with_arguments '{"orders": ["3 pear", "2 plum"]}' '{}' '{"orders": ["1 grün"]}'
}

@test "sample python: the bytes of the kernel and of OpenSSL are another copy's never" {
	local line bytes=()
	freeze
	for _ in 1 2 3; do
		nub restore "${grants[@]}" "$SNAP" <<<$'{"random": 32}\n{"random": 32}'
		ended 0 ok
		for line in "${lines[@]}"; do
			bytes+=("$(jq -r .kernel <<<"$line")" "$(jq -r .openssl <<<"$line")")
		done
	done
	printf '%s\n' "${bytes[@]}"
	[ "${#bytes[@]}" -eq 12 ]
	[ "$(printf '%s\n' "${bytes[@]}" | grep -cE '^[0-9a-f]{64}$')" -eq 12 ]
	[ "$(printf '%s\n' "${bytes[@]}" | sort -u | wc -l)" -eq 12 ]
}
