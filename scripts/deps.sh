# shellcheck shell=bash
# What nubrun needs from the system, and how it gets there on Debian. Sourced by quickstart, check and .ci/run:
#
#     . scripts/deps.sh
#     deps_install build test    # does nothing when nothing is missing

# One line each: group, Debian package, and how one sees that it is there: a command on PATH, a module that pkg-config
# knows, an archive that the compiler finds, or a file. Only what is not seen is installed, so these work on any system.
DEPS='
build  gcc            command  gcc
build  libc6-dev      archive  libc.a
build  make           command  make
build  pkg-config     command  pkg-config
build  libelf-dev     module   libelf
build  libxxhash-dev  module   libxxhash
build  libjson-c-dev  module   json-c
test   g++            command  g++
test   clang          command  clang
test   libcmocka-dev  module   cmocka
test   libcjson-dev   module   libcjson
test   bats           command  bats
test   gojq           command  gojq
test   jq             command  jq
test   gdb            command  gdb
test   elfutils       command  eu-readelf
test   binutils       command  readelf
test   python3        command  python3
test   procps         command  pgrep
test   strace         command  strace
test   valgrind       command  valgrind
test   busybox-static command  busybox
test   liblua5.4-dev  module   lua5.4
test   libsqlite3-dev module   sqlite3
emulate  qemu-system-x86     command  qemu-system-x86_64
emulate  qemu-system-common  file     /usr/lib/qemu/virtiofsd
emulate  cpio                command  cpio
emulate  gcc                 command  gcc
emulate  libc6-dev           archive  libc.a
emulate  make                command  make
bochs  bochs            command  bochs
bochs  bochsbios        file     /usr/share/bochs/BIOS-bochs-latest
bochs  vgabios          file     /usr/share/vgabios/vgabios.bin
bochs  isolinux         file     /usr/lib/ISOLINUX/isolinux.bin
bochs  syslinux-common  file     /usr/lib/syslinux/modules/bios/ldlinux.c32
bochs  xorriso          command  xorriso
suites  golang-go                command  go
suites  rustc                    command  rustc
suites  libpython3.11-testsuite  file     /usr/lib/python3.11/test/libregrtest
lint   gcc            command  gcc
lint   clang          command  clang
lint   clang-format   command  clang-format
lint   clang-tidy     command  clang-tidy
lint   cppcheck       command  cppcheck
lint   mandoc         command  mandoc
lint   shellcheck     command  shellcheck
'

# The versions that the sources are clean with. Another clang-format lays code out differently, and another linter
# finds other things: a mismatch skips that step, and fails it in CI.
LINT_VERSIONS='
gcc           12
clang         14
clang-format  14
clang-tidy    14
cppcheck      2.10
mandoc        1.14
shellcheck    0.9
'

deps_present() { # KIND NAME
	case $1 in
	command) command -v "$2" >/dev/null ;;
	file) [ -e "$2" ] ;;
	module) pkg-config --exists "$2" 2>/dev/null ;;
	archive) case $(gcc -print-file-name="$2" 2>/dev/null) in /*) ;; *) return 1 ;; esac ;;
	esac
}

# Print the packages of these groups that are missing.
deps_missing() { # GROUP...
	local group package kind name
	while read -r group package kind name; do
		case " $* " in *" $group "*) deps_present "$kind" "$name" || echo "$package" ;; esac
	done <<<"${DEPS#?}"
}

# Install what is missing of these groups, or say what is to be installed and return 1.
deps_install() { # GROUP...
	local -a missing as_root=()
	mapfile -t missing < <(deps_missing "$@")
	((${#missing[@]})) || return 0

	if ! command -v apt-get >/dev/null; then
		echo "missing: ${missing[*]} (Debian's names); install them with this system's package manager" >&2
		return 1
	fi
	if [ "$(id -u)" != 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "missing: ${missing[*]}; as root, run: apt-get install ${missing[*]}" >&2
			return 1
		fi
		as_root=(sudo)
	fi
	echo "installing: ${missing[*]}" >&2
	as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120)
	"${as_root[@]}" update >&2 || echo "apt-get update failed; trying with the lists that are here" >&2
	if ! "${as_root[@]}" install --yes --no-install-recommends "${missing[@]}" >&2; then
		echo "apt-get could not install ${missing[*]}" >&2
		return 1
	fi

	mapfile -t missing < <(deps_missing "$@")
	((${#missing[@]})) || return 0
	echo "installed, but still not found: ${missing[*]}" >&2
	return 1
}

# Print a tool's version, empty when it tells none. mandoc has no option for it: its package knows.
tool_version() { # TOOL
	if [ "$1" = mandoc ]; then
		dpkg-query -W -f '${Version}' mandoc 2>/dev/null
	else
		"$1" --version 2>/dev/null
	fi | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1
}

# Is this lint tool of the version that LINT_VERSIONS names? Says so when it is not.
tool_pinned() { # TOOL
	local tool pinned version
	while read -r tool pinned; do
		[ "$tool" = "$1" ] || continue
		version=$(tool_version "$tool")
		case $version in "$pinned" | "$pinned".*) return 0 ;; esac
		echo "$tool is ${version:-of unknown version}, the project uses $pinned"
		return 1
	done <<<"${LINT_VERSIONS#?}"
}

# Can guests run here? (Without the first two, root's shell would make a file of that name.)
kvm_usable() {
	[ -r /dev/kvm ] && [ -w /dev/kvm ] && (exec 3<>/dev/kvm) 2>/dev/null
}

# Libraries come without archives on many systems other than Debian; nubrun is linked dynamically there.
deps_static() {
	local name
	for name in libelf.a libxxhash.a libjson-c.a; do
		deps_present archive "$name" || return 1
	done
}
