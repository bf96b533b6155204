#!/usr/bin/env bats
# Programs with threads in C++, Go and Rust: their threads wait when they are frozen, and go on in each copy.

load sample_helper

setup() {
	needs_kvm
}

@test "sample workers (C++): threads take lines, count or throw, as without nubrun" {
	needs_sample workers
	program "$SAMPLES/workers"
	granted_root "$SAMPLES"
	same_everywhere $'hello world\nmississippi' 'a1' $'one\n2\nthree\n\n5 five\nsix seven eight' \
		"$(seq 200 | tr 0-9 a-j)"
}

@test "sample words (Go): goroutines share lines, as without nubrun" {
	needs_sample words
	program "$SAMPLES/words"
	same_everywhere 'the cat and the dog' '' "$(head -n 60 "$ROOT/LICENSE")" $'A a\nb B b'
}

@test "sample sums (Rust): threads add or panic, as without nubrun" {
	needs_sample sums
	program "$SAMPLES/sums"
	same_everywhere $'1 2 3\n4 5' 'nothing' "$(seq 300)" $'170141183460469231731687303715884105727\n-1\nx\n9 9'
}

@test "sample busybox: a shell frozen between two commands runs what each copy is told" {
	program "$(command -v busybox)" sh -c \
		'n=5; f() { n=$((n * $1)); }; echo ready; while read -r line; do eval "$line"; done; echo "n is $n"; exit "$n"'
	same_everywhere 'f 3' $'f 2\nf 2\nfor i in a b; do echo $i; done' 'n=0; set -- x y; echo $# "$@"' 'exit 9'
}
