#!/usr/bin/env bats
# scripts/with-kvm: a command in an emulated machine is as it is here, ends as it does here, and leaves nothing running.

load helper

# What a first run says of what it fetches is not what these are about.
setup_file() {
	"$ROOT/scripts/with-kvm" --svm true
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	WITH_KVM=$ROOT/scripts/with-kvm
}

# Nothing that these processes started is left; it may be a moment until the last is gone.
gone() { # PID...
	local pid
	for pid in "$@"; do
		for _ in {1..50}; do
			case $(cat "/proc/$pid/stat" 2>/dev/null) in '' | *') Z '*) continue 2 ;; esac
			sleep 0.1
		done
		ps -fp "$pid"
		return 1
	done
}

# What a test that failed has left would hold up the end of all.
teardown() {
	local -a left
	mapfile -t left < <(jobs -p)
	((${#left[@]} == 0)) || kill -KILL "${left[@]}"
}

# Wait for a file that a command in a machine makes; then $children are with-kvm's: the emulator, virtiofsd and what may be left of its preparations.
wait_for() { # FILE PID
	for _ in {1..600}; do
		[ ! -e "$1" ] || break
		sleep 0.1
	done
	mapfile -t children < <(pgrep -P "$2")
	echo "${children[@]}"
	[ -e "$1" ] && [ "${#children[@]}" -ge 2 ]
}

@test "with-kvm: where KVM is and no kind of it is asked for, it just runs the command" {
	only_kvm
	capture "$WITH_KVM" bash -c 'cat /proc/sys/kernel/random/boot_id; exit 7'
	[ "$status" -eq 7 ]
	[ "$output" = "$(cat /proc/sys/kernel/random/boot_id)" ]
	capture "$WITH_KVM" --timeout 0.2 sleep 20
	[ "$status" -eq 124 ]
}

@test "with-kvm: same user, folder, environment and files; KVM of the kind that was asked for" {
	mkdir 'a folder'
	cd 'a folder'
	echo there >file
	A='1 2
3' capture "$WITH_KVM" --svm bash -c 'printf "%s\n" "$A" "$PWD" "$(id)" "$(umask)" "$(hostname)" "$#" "$2"; cat file ../"a folder"/file
		echo here >made; ls /sys/module/kvm_amd/parameters/npt; cat /sys/module/kvm_amd/parameters/npt' - 'x y' ''
	[ "$status" -eq 0 ]
	[ "$output" = "$(printf '%s\n' $'1 2\n3' "$PWD" "$(id)" "$(umask)" "$(hostname)" 2 '' there there \
		/sys/module/kvm_amd/parameters/npt Y)" ]
	[ "$stderr" = '' ]
	[ "$(<made)" = here ]
	capture "$WITH_KVM" --svm-shadow cat /sys/module/kvm_amd/parameters/npt
	[ "$output" = N ]
}

@test "with-kvm: a relative path is run; what is not there or can't be run is 127 and 126" {
	printf '#!/bin/sh\necho me\n' >script
	capture "$WITH_KVM" --svm ./script
	[ "$status" -eq 126 ]
	[[ $stderr == *"with-kvm: ./script: Permission denied"* ]]
	chmod +x script
	capture "$WITH_KVM" --svm ./script
	[ "$status" -eq 0 ]
	[ "$output" = me ]
	capture "$WITH_KVM" --svm ./none
	[ "$status" -eq 127 ]
}

@test "with-kvm: ends as the command does: exit codes, a signal" {
	local code
	for code in 0 7 125; do
		capture "$WITH_KVM" --svm sh -c "exit $code"
		[ "$status" -eq "$code" ]
	done
	capture "$WITH_KVM" --svm sh -c 'kill -TERM $$'
	[ "$status" -eq 143 ]
}

@test "with-kvm: streams byte for byte, stderr apart, stdin to its end; a reader that stops" {
	head -c 1000003 /dev/urandom >bytes
	"$WITH_KVM" --svm sh -c 'tee /dev/stderr' <bytes >out 2>err
	cmp bytes out
	cmp bytes err
	"$WITH_KVM" --svm sh -c 'cat; echo end' </dev/null >out
	[ "$(<out)" = end ]
	"$WITH_KVM" --svm sh -c 'yes; echo $? >left' | head -n 1 >out
	[ "$(<out)" = y ]
	[ "$(<left)" = 141 ]
	# A stream that is closed here is closed there.
	"$WITH_KVM" --svm sh -c '[ ! -e /proc/self/fd/0 ]' <&-
}

@test "with-kvm: an interrupt reaches the command, and all of it ends, though the command does not" {
	local pid signal
	for signal in INT TERM; do
		# A background job of a shell ignores SIGINT, unless it is told not to.
		env --default-signal=INT "$WITH_KVM" --svm bash -c \
			'trap "echo told >told; exit 3" INT TERM; touch up; while :; do sleep 0.1; done' &
		pid=$!
		wait_for up "$pid"
		kill -"$signal" "$pid"
		status=0
		wait "$pid" || status=$?
		[ "$status" -eq 3 ]
		[ "$(<told)" = told ]
		gone "${children[@]}"
		rm up told
	done
	"$WITH_KVM" --svm bash -c 'trap "" TERM; touch deaf; while :; do sleep 0.1; done' &
	pid=$!
	wait_for deaf "$pid"
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" -eq 143 ]
	gone "${children[@]}"
}

@test "with-kvm: killed, it leaves nothing running" {
	"$WITH_KVM" --svm sh -c 'touch up; sleep 1000' &
	local pid=$!
	wait_for up "$pid"
	kill -KILL "$pid"
	gone "${children[@]}"
}

@test "with-kvm: --timeout ends it with 124" {
	capture "$WITH_KVM" --svm --timeout 8 sleep 1000
	[ "$status" -eq 124 ]
	capture "$WITH_KVM" --svm --timeout 0.1 true
	[ "$status" -eq 124 ]
}

@test "with-kvm: two at once" {
	"$WITH_KVM" --svm sh -c 'echo 1; touch one; until [ -e two ]; do sleep 0.1; done' >first &
	local pid=$!
	"$WITH_KVM" --svm --timeout 120 sh -c 'echo 2; touch two; sleep 1' >second
	wait "$pid"
	[ "$(<first)$(<second)" = 12 ]
}

@test "with-kvm: an ordinary user has his own files, and not those of others" {
	[ "$(id -u)" -eq 0 ] || skip "only root can become another user"
	"$WITH_KVM" --svm true
	local folder
	folder=$(mktemp -d /tmp/nubrun-test.XXXXXX)
	chown 54321:54321 "$folder"
	echo secret >"$folder/../${folder##*/}.secret"
	chmod 600 "$folder.secret"
	cd "$folder"
	capture setpriv --reuid 54321 --regid 54321 --clear-groups "$WITH_KVM" --svm sh -c \
		"id -u; echo mine >made; test -r /dev/kvm && test -w /dev/kvm && echo kvm; cat '$folder.secret'"
	local owner
	owner=$(stat -c %u "$folder/made")
	rm -rf "$folder" "$folder.secret"
	[[ $stderr != *'user namespace'* ]] || skip "user namespaces are not allowed here"
	[ "$output" = $'54321\nkvm' ]
	[[ $stderr == *'Permission denied'* ]]
	[ "$owner" -eq 54321 ]
}

# A tree that has nothing yet, and a PATH on which apt-get and others can be stand-ins.
bare_tree() {
	local folder
	local -a folders
	mkdir -p tree bin
	cp -r "$ROOT/scripts" "$ROOT/Makefile" tree
	IFS=: read -ra folders <<<"$PATH"
	for folder in "${folders[@]}"; do
		cp -sn "$folder"/* bin 2>/dev/null || true
	done
}

@test "with-kvm: no QEMU and no way to get one is a clear error" {
	bare_tree
	rm -f bin/qemu-system-x86_64 bin/apt-get
	PATH=$PWD/bin capture tree/scripts/with-kvm --svm true
	[ "$status" -eq 125 ]
	[[ ${stderr_lines[0]} == "missing: qemu-system-x86 (Debian's names); install them"* ]]
	[ "${stderr_lines[1]}" = "with-kvm: without QEMU there is no emulated machine" ]
}

@test "with-kvm: no network to get the kernel by is a clear error; what was made before needs none" {
	bare_tree
	rm bin/apt-get
	printf '#!/bin/sh\necho "E: Temporary failure resolving" >&2\nexit 100\n' >bin/apt-get
	chmod +x bin/apt-get
	PATH=$PWD/bin capture tree/scripts/with-kvm --svm true
	[ "$status" -eq 125 ]
	[[ ${stderr_lines[-1]} == "with-kvm: can't download Debian's linux-image-cloud-amd64: E: Temporary failure resolving"* ]]
	"$WITH_KVM" --svm true
	PATH=$PWD/bin capture "$WITH_KVM" --svm true
	[ "$status" -eq 0 ]
	[ "$stderr" = '' ]
}

@test "with-kvm: a tree that can't be written to is a clear error, unless all is there" {
	[ "$(id -u)" -eq 0 ] || skip "only root can become another user"
	bare_tree
	local tree
	tree=$(mktemp -d /tmp/nubrun-test.XXXXXX)
	cp -r tree/* "$tree"
	chmod -R a+rX "$tree"
	capture setpriv --reuid 54321 --regid 54321 --clear-groups "$tree/scripts/with-kvm" --svm true
	rm -rf "$tree"
	[ "$status" -eq 125 ]
	[[ $stderr == "with-kvm: can't write to $tree/build/emulate"* ]]
}

@test "with-kvm: --vmx copies no more than its machine has room for" {
	truncate -s 500M big
	capture "$WITH_KVM" --vmx --copy big true
	[ "$status" -eq 125 ]
	[[ $stderr == *"with-kvm: copies of "*" MB are more than the 250 MB that the machine has room for"* ]]
}

@test "with-kvm: --help, and what it doesn't know" {
	capture "$WITH_KVM" --help
	[ "$status" -eq 0 ]
	[[ $output == "usage: scripts/with-kvm "* ]]
	for arguments in '' --tdx '--timeout x true' '--copy /none true'; do
		# shellcheck disable=SC2086 # words
		capture "$WITH_KVM" $arguments
		[ "$status" -eq 125 ]
		[ -n "$stderr" ]
	done
}
