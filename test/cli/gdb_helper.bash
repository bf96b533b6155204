# shellcheck shell=bash disable=SC2034 # json is what field reads
# What the tests of --gdb have in common: nubrun in the background, and gdb, in batch mode, at its socket.

# Start nubrun in the background, waiting at the Unix socket `sock`.
start() { # COMMAND [OPTION...] FILE [ARG...]
	local command=$1 i
	shift
	"$NUBRUN" "$command" --gdb unix:sock --status status "$@" >out 2>err &
	nubrun_pid=$!
	for ((i = 0; i < $(slow 200); i++)); do
		[ ! -S sock ] || return 0
		sleep 0.02
	done
	cat err
	return 1
}

# gdb at the guest, with one command a line on stdin; its output is $output. A command that fails does not end it.
debug() { # FILE-WITH-SYMBOLS
	local line
	local -a commands=(-iex 'set debuginfod enabled off' -ex 'target remote sock')
	while IFS= read -r line; do
		commands+=(-ex "$line")
	done
	run timeout "$(slow 60)" gdb -nx -batch "${commands[@]}" "$1"
	echo "$output"
}

# The end of nubrun: $status and $json as after nub.
finish() {
	status=0
	wait "$nubrun_pid" || status=$?
	nubrun_pid=
	json=$(<status)
	printf 'exit %s\n%s\n%s\n' "$status" "$(<out)" "$json"
}
