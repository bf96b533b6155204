#!/usr/bin/env bats
# SQLite: tables in memory that are filled once, and queries for each copy.

load sample_helper

setup() {
	needs_kvm
	needs_sample sqlite
	program "$SAMPLES/sqlite"
}

@test "sample sqlite: each copy answers its own queries from the same tables, as without nubrun" {
	same_everywhere 'select count(*), sum(n), avg(square), max(name) from numbers;' \
		$'select name from planets where moons > 0 order by moons desc limit 2;\nselect printf(\'%.3f\', sqrt(2)), upper(\'a\') || length(\'grün\'), 7 / 2, 7 % 4, 1e10;' \
		$'explain query plan select n from numbers where name = \'00042\';\nselect n from numbers where name = \'00042\';' \
		$'begin;\nupdate planets set moons = moons + 1;\nselect sum(moons) from planets;\nrollback;\nselect sum(moons) from planets;' \
		$'select a.n from numbers a join numbers b on a.square = b.n + b.square - 6 where a.n < 20 and b.n < 20;' \
		$'select x from nowhere;\ninsert into planets values (\'earth\', 1);\nselect json_extract(\'{"a": [1, 2]}\', \'$.a[1]\');\nselect group_concat(name, \' \') from planets;'
}

@test "sample sqlite: statements are arguments of a copy, as without nubrun" {
	same_with_arguments 'update planets set moons = 9' 'select sum(moons), count(*) from planets' 'select x from nowhere'
}

@test "sample sqlite: what one copy writes, no other sees" {
	freeze
	nub restore "$SNAP" <<<$'delete from planets where moons = 0;\nselect count(*) from planets;'
	ended 0 ok
	[ "$output" = 3 ]
	nub restore "$SNAP" <<<'select count(*) from planets;'
	ended 0 ok
	[ "$output" = 5 ]
}
