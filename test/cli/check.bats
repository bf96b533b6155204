#!/usr/bin/env bats
# `nubrun check`: whether this host can run guests, and what to do if not.

load helper

@test "check: with KVM, says so, with what it measured" {
	only_kvm
	nub check
	[ "$status" -eq 0 ]
	[ "$stderr" = "" ]
	[[ $output == *$'\nThis host can run guests in virtual machines.\n'* ]]
	[[ $output == *"supervisor code       "@(native|emulated)* ]]
	nub check --json
	[ "$status" -eq 0 ]
	[ "$(jq '.usable and .schema == 1 and .api_version == 12 and .round_trip_us > 0 and .cpl0.ns_per_instruction > 0 and
		(.cpl0.emulated | type) == "boolean" and (.capabilities | length) == 7' <<<"$output")" = true ]
	[ "$(jq -r .kernel <<<"$output")" = "$(uname -r)" ]
}

@test "check: names the module behind /dev/kvm, and who emulates the host's CPU" {
	only_kvm
	local module emulator=
	for module in intel amd pvm; do
		[ ! -d /sys/module/kvm_$module ] || break
	done
	# As QEMU calls its CPU, and Bochs its firmware.
	case $(grep -m1 '^model name' /proc/cpuinfo)/$(cat /sys/class/dmi/id/bios_vendor 2>/dev/null) in
	*"QEMU TCG"*) emulator="QEMU TCG" ;;
	*/"The Bochs Project") emulator=Bochs ;;
	esac
	nub check
	[[ $output == *"module kvm_$module"* ]]
	if [ -n "$emulator" ]; then
		[[ $output == *"host CPU  "*"emulated by $emulator"* ]]
	else
		[[ $output != *"emulated by"* ]]
	fi
	nub check --json
	[ "$(jq -r '"\(.module) \(.emulator)"' <<<"$output")" = "kvm_$module ${emulator:-null}" ]
}

# Where /dev has no kvm, or one that can't be opened, in a mount namespace of our own.
in_dev_without_kvm() { # COMMAND...
	[ "$(id -u)" -eq 0 ] || skip "only root can hide /dev/kvm"
	unshare -m true 2>/dev/null || skip "mount namespaces are not allowed here"
	capture unshare -m bash -c 'mount -t tmpfs none /dev && "$@"' - "$@"
}

@test "check: without /dev/kvm, 125 and the cure, as text, JSON and status" {
	in_dev_without_kvm "$NUBRUN" check
	refused 125 kvm-missing '*/dev/kvm*'
	[[ ${lines[0]} == "This host can't run guests in virtual machines: "*"/dev/kvm"* ]]
	[[ $output == *"To do: "* ]]
	in_dev_without_kvm "$NUBRUN" check --json
	refused 125 kvm-missing '*'
	[ "$(jq '.usable == false and .error.code == "kvm-missing" and (.error.hint | length) > 10' <<<"$output")" = true ]
	in_dev_without_kvm "$NUBRUN" run --engine kvm "$GUESTS/hello.elf"
	refused 125 kvm-missing '*/dev/kvm*'
	[[ $(field .error.hint) == *"hardware boundary"*"--engine process" ]]
	in_dev_without_kvm "$NUBRUN" run --engine process "$GUESTS/hello.elf"
	ended 0 ok
}

@test "check: a /dev/kvm that is not permitted or is something else is told apart" {
	in_dev_without_kvm bash -c 'echo no >/dev/kvm; exec "$1" check' - "$NUBRUN"
	refused 125 kvm "/dev/kvm: is not KVM's device*"
	local folder
	folder=$(mktemp -d /tmp/nubrun-test.XXXXXX)
	chmod 755 "$folder"
	install -m 755 "$NUBRUN" "$folder"
	in_dev_without_kvm bash -c 'mknod -m 600 /dev/kvm c 10 232 &&
		exec setpriv --reuid 54321 --regid 54321 --clear-groups "$1" check' - "$folder/nubrun"
	rm -rf "$folder"
	refused 125 kvm-denied '*/dev/kvm*'
}

@test "check: /dev/kvm closed to it does not stop inspect" {
	in_dev_without_kvm "$NUBRUN" inspect "$GUESTS/hello.elf"
	[ "$status" -eq 0 ]
	[[ $output == *hello.elf* ]]
}
