#!/usr/bin/env bats
# Layers: snapshots that store only what differs from another one, `--base` and `--flatten`.

load helper
load snapshot_helper

setup() {
	needs_kvm
	cd "$BATS_TEST_TMPDIR"
	ECHO=$GUESTS/echo.elf
}

@test "layers: a layer stores what differs, and restores as the whole would" {
	local cow
	for cow in $(policies); do
		save base --cow "$cow" --call echo_void "$ECHO" >/dev/null
		save whole --seed 1 --call echo_void base >/dev/null
		# The log level, as the seed, is in the guest's memory.
		nub snapshot -o layer --log-level off --seed 1 --base base --call echo_void base
		ended 0 ok
		[ "$(field .saved.layers)" -eq 2 ]
		[ "$(stored layer)" -lt $(($(stored base) * 3 / 4)) ]
		nub restore --verify --call count layer
		ended 0 ok
		[ "$output" -eq 2 ]
		[ "$(field '.snapshot | [.layers, .base.name] | join(" ")')" = "2 base" ]
		[ "$(field .snapshot.base.hash)" = "$(about base .snapshot.hash)" ]
		[ "$(about layer .snapshot.hash)" = "$(about whole .snapshot.hash)" ]
		[ "$(about layer .snapshot.layers)" -eq 2 ]
		nub inspect layer
		[[ $output == *"base          base"* ]]
		nub restore --repeat 5 --reset --call count layer
		[ "$output" -eq 2 ]
	done
}

@test "layers: a base is found beside the layer, or where --base says, and nowhere else" {
	save base "$ECHO"
	save layer --base base --call echo_void base >/dev/null
	mkdir elsewhere
	mv layer elsewhere
	nub restore --call count elsewhere/layer
	refused 126 snapshot-base "*elsewhere/layer*elsewhere/base*"
	nub inspect elsewhere/layer
	refused 126 snapshot-base '*'
	nub restore --base base --call count elsewhere/layer
	ended 0 ok
	[ "$output" -eq 1 ]
	nub inspect --verify --base base elsewhere/layer
	[ "$status" -eq 0 ]
	mv base elsewhere
	nub restore --call count elsewhere/layer
	ended 0 ok
	cd elsewhere
	"$NUBRUN" restore -q --call count - <layer >out
	[ "$(cat out)" -eq 1 ]
}

@test "layers: a base is told by its hash, under whatever name" {
	save base "$ECHO"
	save layer --base base --call echo_void base >/dev/null
	mv base other
	save base --call echo_void other >/dev/null
	nub restore --call count layer
	refused 126 snapshot-base "*'base' is not the snapshot that it was made on*"
	nub restore --base other --call count layer
	ended 0 ok
	cp "$ECHO" base
	nub restore --call count layer
	refused 126 snapshot-magic '*'
	nub restore --base nowhere --call count layer
	refused 126 snapshot-base '*nowhere*'
}

@test "layers: the 17th layer is refused with the way out, --flatten" {
	local cow i
	for cow in $(policies); do
		save l0 --cow "$cow" "$ECHO"
		for i in {1..16}; do
			save "l$i" --base "l$((i - 1))" --call echo_void "l$((i - 1))" >/dev/null
		done
		[ "$(about l16 .snapshot.layers)" -eq 17 ]
		nub restore --verify --call count l16
		ended 0 ok
		[ "$output" -eq 16 ]
		nub snapshot -o l17 --base l16 --call echo_void l16
		refused 126 snapshot-layers '*16*'
		[[ $(field .error.hint) == *--flatten* ]]
		[ ! -e l17 ]
		nub snapshot --flatten -o flat l16
		ended 0 ok
		[ "$(field '.saved | [.layers, .generation] | join(" ")')" = "1 17" ]
		mkdir alone
		mv flat alone
		nub restore --verify --call count alone/flat
		[ "$output" -eq 16 ]
		[ "$(about alone/flat .snapshot.hash)" = "$(about l16 .snapshot.hash)" ]
		nub inspect --diff l16 alone/flat
		[[ $output == "no page differs"* ]]
		save l17 --base alone/flat --call echo_void l16 >/dev/null
		rm -r alone l17
	done
}

@test "layers: --flatten needs no KVM, streams, and finds a damaged layer" {
	save base "$ECHO"
	save layer --base base --call echo_void base >/dev/null
	"$NUBRUN" snapshot --flatten -q -o - layer | "$NUBRUN" restore -q --call count - >out
	[ "$(cat out)" -eq 1 ]
	poke base 4200 '\125\252'
	nub snapshot --flatten -o flat layer
	refused 126 snapshot-corrupt '*'
	[ ! -e flat ]
}

@test "layers: a layer is not saved over a snapshot that it stands on" {
	save base "$ECHO"
	save layer --base base --call echo_void base >/dev/null
	ln -s base link
	local path
	for path in base link layer; do
		nub snapshot -o "$path" --base layer --call echo_void layer
		refused 125 usage "$path: is a base*"
	done
	nub restore --call count layer
	ended 0 ok
}

@test "layers: what the base has and the layer has not any more is zero in it" {
	# Memory that shrinks to another guest's: the layer says so for every page.
	save base --call make_bytes "$ECHO" 60000 >/dev/null
	save small "$GUESTS/hello.elf"
	nub snapshot -o layer --base base small
	ended 0 ok
	nub restore --verify layer
	ended 0 ok
	[ "$output" = "Hello from the guest!" ]
	[ "$(about layer .snapshot.hash)" = "$(about small .snapshot.hash)" ]
}
