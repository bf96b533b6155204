# shellcheck shell=bash
# What an emulated machine is made of: the emulator (installed), Debian's kernel and a few modules (unpacked, never
# installed), outside and inside (built), an initramfs. Sourced by with-kvm, after deps.sh. What is there is not asked for again.

# In the order in which they can be inserted.
VIRTIO='virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_console fuse virtiofs'
KVM='irqbypass kvm'
KERNEL_PACKAGE=linux-image-cloud-amd64

# The name of the package that the meta package stands for, and the package itself, into the folder that we are in. Without
# root, and where no package lists are, with lists of our own.
download_kernel() {
	local package
	local -a apt=(apt-get -qq) cache=(apt-cache)
	package=$(apt-cache depends "$KERNEL_PACKAGE" 2>/dev/null | awk '/Depends: linux-image-/ { print $2; exit }')
	if [ -z "$package" ] || ! apt-get -qq download "$package" 2>/dev/null; then
		mkdir -p lists/partial archives/partial
		cache+=(-o "Dir::State::lists=$PWD/lists" -o "Dir::Cache=$PWD")
		apt+=("${cache[@]:1}")
		"${apt[@]}" update || return
		package=$("${cache[@]}" depends "$KERNEL_PACKAGE" | awk '/Depends: linux-image-/ { print $2; exit }')
		[ -n "$package" ] && "${apt[@]}" download "$package"
	fi
}

# Kernel and modules, in the folder `kernel`: all or nothing.
unpack_kernel() { # FOLDER
	local module part=$1/part
	[ ! -e "$1/kernel/vmlinuz" ] || return 0
	command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
		fail "no apt-get here, with which the emulated machine's kernel (Debian's $KERNEL_PACKAGE) is downloaded"
	echo "with-kvm: downloading Debian's $KERNEL_PACKAGE (27 MB, unpacked below ${1#"$PWD/"})" >&2
	rm -rf "$part"
	mkdir -p "$part/kernel"
	(cd "$part" && download_kernel >log 2>&1) ||
		fail "can't download Debian's $KERNEL_PACKAGE: $(tail -n 1 "$part/log"); with-kvm needs a network the first time"
	dpkg-deb --fsys-tarfile "$part"/linux-image-*.deb | tar -x -C "$part" --wildcards './boot/vmlinuz-*' '*.ko'
	mv "$part"/boot/vmlinuz-* "$part/kernel/vmlinuz"
	for module in $VIRTIO $KVM kvm-amd kvm-intel; do
		find "$part/lib" -name "$module.ko" -exec mv -t "$part/kernel" {} +
		[ -e "$part/kernel/$module.ko" ] || fail "$(basename "$part"/linux-image-*.deb) has no module $module.ko"
	done
	mv "$part/kernel" "$1/kernel"
	rm -rf "$part"
}

# The machine's first file system, with the modules in the order in which they are inserted; the last may have parameters.
make_initramfs() { # FOLDER NAME MODULES LAST-MODULE [PARAMETERS]
	local module folder=$1/$2
	[ ! "$folder.cpio" -nt "$1/inside" ] || return 0
	rm -rf "$folder"
	mkdir -p "$folder/modules"
	for module in $3 "$4"; do
		cp "$1/kernel/$module.ko" "$folder/modules"
	done
	{ printf '%s.ko\n' $3 && echo "$4.ko${5:+ $5}"; } >"$folder/modules/ORDER"
	cp "$1/inside" "$folder/init"
	(cd "$folder" && find . | cpio --quiet -o -H newc) >"$folder.part"
	mv "$folder.part" "$folder.cpio"
	rm -rf "$folder"
}

# Is all there, and of this tree's sources?
prepared() { # ROOT FOLDER
	local file
	for file in vmx svm-shadow svm; do
		[ "$2/$file.cpio" -nt "$2/inside" ] || return 1
	done
	for file in "$1"/scripts/emulate/{*.c,*.h,*.mk,prepare.sh}; do
		[ "$2/inside" -nt "$file" ] && [ "$2/outside" -nt "$file" ] || return 1
	done
}

# Everything, in a folder that is locked meanwhile: several may want it at once.
prepare() { # ROOT FOLDER KIND
	local root=$1 folder=$2 log
	local -a groups=(emulate)
	[ "$3" != vmx ] || groups+=(bochs)
	deps_install "${groups[@]}" || fail "without ${groups[-1]/emulate/QEMU} there is no emulated machine"
	! prepared "$root" "$folder" || return 0
	{ mkdir -p "$folder" && [ -w "$folder" ]; } 2>/dev/null ||
		fail "can't write to $folder, where the emulated machine's kernel is kept; its owner runs scripts/with-kvm --svm true"
	exec 9>"$folder/lock"
	if ! flock -w 1 9; then
		echo "with-kvm: waiting for another with-kvm to make its machine" >&2
		flock 9
	fi
	unpack_kernel "$folder"
	log=$(make -s -C "$root" B=build emulate 2>&1) || fail "can't build scripts/emulate: $log"
	make_initramfs "$folder" vmx "$KVM" kvm-intel
	make_initramfs "$folder" svm-shadow "$VIRTIO $KVM" kvm-amd npt=0
	make_initramfs "$folder" svm "$VIRTIO $KVM" kvm-amd
	exec 9>&-
}
