# shellcheck shell=bash
# Tests in emulated machines, one a core, which take job after job from a list. Sourced by check.
#
#     jobs_start KIND BUILD FOLDER WORKERS <LIST    begin; LIST has a line for each job, as worker takes them
#     jobs_wait NAME                                until that job is over: its exit code
#     jobs_stop                                     end them
#
# FOLDER gets NAME.tap (what the job printed) and NAME.status. Emulated machines hang or stop now and then, whatever runs there: a
# job whose machine does is tried once more in a new one, and its .tap says so either way.

# For a machine that shares no files: `--copy FILE`... of all that the jobs need.
JOBS_COPIES=()
# A job that prints nothing for so many seconds hangs.
JOBS_PATIENCE=${JOBS_PATIENCE:-300}

# Take the first job off the list.
jobs_take() { # FOLDER
	(
		flock 9
		head -n 1 "$1/list"
		sed -i 1d "$1/list"
	) 9>"$1/lock"
}

# Take what the machine says about a job, until it is over or nothing has come for too long: `status`. Fails when there is none.
jobs_attend() { # FOLDER NAME FD
	local line rest='' idle=0 code
	status=hung
	while ((idle < JOBS_PATIENCE)); do
		code=0
		IFS= read -r -t 5 -u "$3" line || code=$?
		# More than 128 is read's time limit, with what there is of a line; else the machine is gone.
		if ((code > 128)); then
			[ -z "$line" ] || idle=0
			rest+=$line
			((idle += 5))
			continue
		fi
		((code == 0)) || return 1
		line=$rest$line rest='' idle=0
		if [[ $line == '@ended '* ]]; then
			status=${line#* }
			return 0
		fi
		printf '%s\n' "$line" >>"$1/$2.tap"
	done
	return 1
}

jobs_work() { # KIND BUILD FOLDER NUMBER
	local folder=$3 log=$3/machine-$4.log line job status machine again
	local -a ends=()
	while line=$(jobs_take "$folder") && [ -n "$line" ]; do
		read -r _ job _ <<<"$line"
		: >"$folder/$job.tap"
		for again in '' ', for the second time'; do
			if ((${#ends[@]} == 0)); then
				coproc MACHINE { exec scripts/with-kvm "--$1" "${JOBS_COPIES[@]}" scripts/emulate/worker "$2" 2>"$log"; }
				ends=("${MACHINE[@]}") machine=$MACHINE_PID
				# shellcheck disable=SC2064 # this machine
				trap "kill -KILL $machine 2>/dev/null; exit 143" TERM
			fi
			echo "$line" >&"${ends[1]}"
			! jobs_attend "$folder" "$job" "${ends[0]}" || break
			kill -KILL "$machine" 2>/dev/null
			wait "$machine" 2>/dev/null
			ends=()
			# What it printed then was not all; of two plans none would be kept.
			[ -n "$again" ] || sed -i 's/^/# /' "$folder/$job.tap"
			{ echo "# the emulated machine hung in this job, or stopped$again:" && sed 's/^/# /' "$log"; } >>"$folder/$job.tap"
		done
		echo "$status" >"$folder/$job.part" && mv "$folder/$job.part" "$folder/$job.status"
	done
	((${#ends[@]} == 0)) || exec {ends[1]}>&-
	wait
}

jobs_start() { # KIND BUILD FOLDER WORKERS
	local number
	mkdir -p "$3"
	cat >"$3/list"
	JOBS_FOLDER=$3 JOBS_WORKERS=()
	for ((number = 1; number <= $4; number++)); do
		jobs_work "$1" "$2" "$3" "$number" &
		JOBS_WORKERS+=($!)
	done
}

jobs_wait() { # NAME
	local worker alive
	until [ -e "$JOBS_FOLDER/$1.status" ]; do
		alive=0
		for worker in "${JOBS_WORKERS[@]}"; do
			! kill -0 "$worker" 2>/dev/null || alive=1
		done
		((alive)) || break
		sleep 0.2
	done
	[ "$(cat "$JOBS_FOLDER/$1.status" 2>/dev/null)" = 0 ]
}

jobs_stop() {
	kill "${JOBS_WORKERS[@]}" 2>/dev/null
	wait "${JOBS_WORKERS[@]}" 2>/dev/null
	JOBS_WORKERS=()
}
