# shellcheck shell=bash
# KVM as on Intel's processors: Bochs emulates VMX. Sourced by with-kvm. Bochs has neither virtio nor a kernel option: it boots
# a CD with isolinux, whose second initramfs has copies of the host's files.

# Print what a program needs: itself, its interpreter, its libraries.
needed_files() { # FILE
	local line
	echo "$1"
	read -rn 256 line <"$1" 2>/dev/null || true
	if [[ $line == '#!'* ]]; then
		read -ra line <<<"${line#??}"
		needed_files "${line[0]}"
		[ "${line[0]##*/}" != env ] || needed_files "$(type -P "${line[1]}")"
	else
		{ ldd "$1" 2>/dev/null || true; } | grep -oE '/[^ )]+' || true
	fi
}

# The host's tree as far as the command needs it, below FOLDER.
copy_tree() { # ROOT FOLDER FILE...
	local root=$1 folder=$2 file link
	shift 2
	mkdir -p "$folder"/{proc,sys,dev,etc,root,usr} "$folder$PWD"
	install -d -m 1777 "$folder/tmp"
	cp /etc/passwd /etc/group "$folder/etc"
	for link in bin sbin lib lib64; do
		if [ -L "/$link" ]; then
			mkdir -p "$folder/usr/$link" && ln -s "usr/$link" "$folder/$link"
		fi
	done
	for file in "$@"; do
		[ ! -f "$file" ] || needed_files "$(realpath -s "$file")"
		[ ! -d "$file" ] || realpath -s "$file"
	done | sort -u | while read -r file; do
		cp -rL --parents "$file" "$folder" 2>/dev/null || true
	done
}

make_cd() { # FOLDER CD-FOLDER
	mkdir "$2/cd"
	cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$1/kernel/vmlinuz" "$1/vmx.cpio" "$2/cd"
	(cd "$2" && find root | cpio --quiet -o -H newc) >"$2/cd/tree.cpio"
	cat >"$2/cd/isolinux.cfg" <<-'CFG'
		default linux
		prompt 0
		label linux
		kernel vmlinuz
	CFG
	# With XSAVEC and XSAVES as Bochs has them, this kernel's KVM lets guests have no AVX.
	echo "append initrd=vmx.cpio,tree.cpio console=ttyS0 quiet mitigations=off tsc=reliable clocksource=tsc no_timer_check" \
		"norandmaps clearcpuid=xsavec,xsaves panic=-1" >>"$2/cd/isolinux.cfg"
	xorriso -as mkisofs -quiet -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table \
		-o "$2/cd.iso" "$2/cd" >"$2/log" 2>&1 || fail "can't make the machine's CD: $(tail -n 1 "$2/log")"
}

# What it finds at descriptors: 3 the byte stream, 9 the CD. Its screen is a service of a network that nobody is in.
bochs_options() {
	cat <<-RC
		megs: $MEGABYTES
		cpu: model=corei7_skylake_x, count=1, ips=100000000, reset_on_triple_fault=1
		clock: sync=none, time0=utc
		romimage: file=/usr/share/bochs/BIOS-bochs-latest
		vgaromimage: file=/usr/share/vgabios/vgabios.bin
		ata0-master: type=cdrom, path=/proc/self/fd/9, status=inserted
		boot: cdrom
		com1: enabled=1, mode=file, dev=/dev/stdout
		com2: enabled=1, mode=term, dev=/proc/self/fd/3
		log: /dev/null
		panic: action=fatal
		sound: driver=dummy
		plugin_ctrl: speaker=0, parallel=0, gameport=0
		display_library: rfb, options="timeout=0"
	RC
}

# The machine's memory holds the copies twice for a moment: packed, and as files.
MEGABYTES=1024 MOST_COPIED=250

run_bochs() { # FOLDER LIMIT COMMAND...
	local folder=$1 limit=$2 scratch command size arg
	local -a files=()
	shift 2
	command=$(type -P "$1") || fail "$1: no such command"
	scratch=$(mktemp -d)
	# shellcheck disable=SC2064 # this folder
	trap "rm -rf '$scratch'" EXIT
	for arg in "${@:2}"; do
		[ ! -f "$arg" ] || files+=("$arg")
	done
	copy_tree "$root" "$scratch/root" "$command" "${files[@]}" "${copies[@]}" "$root/build/guests" "$root/build/test/guests"
	size=$(du -sm --apparent-size "$scratch/root" | cut -f 1)
	((size <= MOST_COPIED)) ||
		fail "copies of $size MB are more than the $MOST_COPIED MB that the machine has room for; name less with --copy"
	make_cd "$folder" "$scratch"
	bochs_options >"$scratch/rc"
	# Bochs' debugger, which Debian builds in, begins with a prompt.
	echo c >"$scratch/continue"
	exec 7<"$scratch/rc" 8<"$scratch/continue" 9<"$scratch/cd.iso"
	rm -rf "$scratch"
	trap - EXIT
	exec "$folder/outside" -t "$limit" -- bochs -q -f /proc/self/fd/7 -rc /proc/self/fd/8 -- "$@"
}
