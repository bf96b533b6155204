/* A database in memory: tables are filled and indexed, it says "ready", and then answers each of its arguments, or each line of its
 * standard input, which is an SQL statement, by rows of columns with a | between. Frozen at its checkpoint, each copy answers from the
 * same tables. */
#include <stdio.h>
#include <string.h>

#include <nub_checkpoint.h>
#include <sqlite3.h>

enum { LINE_MAX_BYTES = 4096, TEXT_MAX = 1 << 16, MOST_STATEMENTS = 64 };

static const char prepare[] =
    "create table planets (name text primary key, moons integer);"
    "insert into planets values ('mercury', 0), ('venus', 0), ('earth', 1), ('mars', 2), ('jupiter', 95);"
    "create table numbers (n integer primary key, square integer, name text);"
    "with recursive count(n) as (select 1 union all select n + 1 from count where n < 20000)"
    " insert into numbers select n, n * n, printf('%05d', n) from count;"
    "create index by_name on numbers (name);";

static int print_row(void *unused, int count, char **values, char **names)
{
	(void)unused;
	(void)names;
	for (int i = 0; i < count; i++)
		printf("%s%s", values[i] ? values[i] : "", i + 1 < count ? "|" : "\n");
	return 0;
}

/* A failure is an answer, too. */
static int answer(sqlite3 *database, const char *statement)
{
	char *message = NULL;
	int code = sqlite3_exec(database, statement, print_row, NULL, &message);

	if (code != SQLITE_OK)
		printf("error: %s\n", message ? message : sqlite3_errstr(code));
	sqlite3_free(message);
	return code;
}

int main(int argc, char **argv)
{
	static char line[LINE_MAX_BYTES], text[TEXT_MAX], *statements[MOST_STATEMENTS + 2];
	sqlite3 *database;

	if (sqlite3_open(":memory:", &database) != SQLITE_OK || answer(database, prepare) != SQLITE_OK)
		return 1;
	puts("ready");
	fflush(stdout);
	if (NUB_CHECKPOINT_WITH_ARGUMENTS()) {
		argc = nub_split(text, nub_arguments(text, sizeof(text)), statements, MOST_STATEMENTS + 2);
		argv = statements;
	}
	for (int i = 1; i < argc; i++)
		answer(database, argv[i]);
	while (argc <= 1 && fgets(line, sizeof(line), stdin)) {
		answer(database, line);
		fflush(stdout);
	}
	return sqlite3_close(database) == SQLITE_OK ? 0 : 1;
}
