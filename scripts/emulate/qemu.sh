# shellcheck shell=bash
# KVM as on AMD's processors: QEMU's TCG emulates SVM. Sourced by with-kvm.

# Options of the machine. One processor: with two and a thread for each, QEMU 7.2 hangs now and then (both loop on a stale
# translation of code that the kernel patched). Five-level paging makes each walk dearer. MPX, which processors have not had for
# long, is state that XSAVE stores beyond what KVM shows guests: see nub-linux(7).
qemu_options() { # FOLDER KIND
	local kind=$2
	# Time is a count of instructions, 2 ns each, and does not wait for anybody.
	[ "$kind" != counts ] || { kind=svm && printf '%s\n' -icount shift=1,sleep=off; }
	printf '%s\n' -nodefaults -no-user-config -display none -no-reboot -M pc -accel tcg -smp 1 -m 3072 \
		-cpu max,+svm,+npt,-la57,-mpx,-erms,-fsrm -object memory-backend-memfd,id=memory,size=3072M,share=on -numa node,memdev=memory \
		-kernel "$1/kernel/vmlinuz" -initrd "$1/$kind.cpio" -serial file:/dev/stdout \
		-device virtio-serial-pci -chardev socket,id=port,fd=3 -device virtserialport,chardev=port \
		-chardev socket,id=files,fd=4 -device vhost-user-fs-pci,chardev=files,tag=root
}

# What the kernel need not do in a machine that runs one command. Programs at the same addresses each time: QEMU translates
# them once, and starting one takes a third of the time. A string instruction is a loop of bytes to TCG: the kernel's other
# ways to copy are quicker. A hang is a panic, and a panic the end.
KERNEL_LINE='console=ttyS0 quiet mitigations=off tsc=reliable clocksource=tsc no_timer_check transparent_hugepage=madvise
norandmaps clearcpuid=rep_good softlockup_panic=1 panic=-1'

run_qemu() { # FOLDER KIND LIMIT COMMAND...
	local folder=$1 kind=$2 limit=$3
	local -a options
	shift 3
	mapfile -t options < <(qemu_options "$folder" "$kind")
	exec "$folder/outside" -t "$limit" -f /usr/lib/qemu/virtiofsd -- \
		qemu-system-x86_64 "${options[@]}" -append "${KERNEL_LINE//$'\n'/ }" -- "$@"
}
