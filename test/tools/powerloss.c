/* Cut the power after each of a command's writes: what may be on the disk then must be the old file or the new one, whole.
 *
 *     strace -xx -s 1000000000 -o RECORD COMMAND       with COMMAND writing NAME
 *     powerloss RECORD NAME OLD|- NEW
 *
 * Plays the calls of the record on a model of a file system. Of a file, what was written before its last fsync is on the disk; what
 * came after it may be, as a whole, not at all, or but for one write. Of a folder, names are there up to its last fsync, and any number of
 * the changes after it. OLD is what NAME was before (-: nothing), NEW what it is at the end, which must be on the disk by then.
 * Exits with 1 when any of this may leave something else.
 */
#include "powerloss.h"

static bool same(const struct bytes *a, const struct bytes *b)
{
	return a->size == b->size && memcmp(a->at, b->at, a->size) == 0;
}

struct checker {
	struct bytes old, new;
	bool had_old;
	const char *name;
	unsigned states, wrong, temporaries;
};

static void check_bytes(struct checker *checker, const struct bytes *bytes, const char *line, const char *what)
{
	checker->states++;
	if (same(bytes, &checker->new) || (checker->had_old && same(bytes, &checker->old)))
		return;
	if (checker->wrong++ < 10)
		printf("after %.*s: neither the old file nor the new one, with %s (%zu bytes)\n",
		       (int)strcspn(line, "("), line, what, bytes->size);
}

/* All that an inode may be: without and with what was not synced, and with all of that but one write. */
static void check_inode(struct checker *checker, const struct inode *inode, const char *line)
{
	struct bytes made;

	check_bytes(checker, &inode->durable, line, "what was synced alone");
	for (unsigned lost = 0; lost <= inode->write_count; lost++) {
		bytes_copy(&made, &inode->durable);
		for (unsigned i = 0; i < inode->write_count; i++)
			if (i != lost)
				bytes_write(&made, &inode->writes[i]);
		check_bytes(checker, &made, line, lost < inode->write_count ? "all but one write" : "every write");
		bytes_release(&made);
	}
}

/* What the name leads to, with so many of the changes that the folder has had since it was synced. */
static void check_folder(struct checker *checker, const struct disk *disk, unsigned changes, const char *line)
{
	const struct inode *inode = disk_find(disk, checker->name, changes);

	if (inode)
		check_inode(checker, inode, line);
	else if (checker->had_old) {
		checker->wrong++;
		printf("after %.*s: the file is gone\n", (int)strcspn(line, "("), line);
	}
}

static void check(struct checker *checker, const struct disk *disk, const char *line)
{
	for (unsigned changes = disk->synced; changes <= disk->change_count; changes++)
		check_folder(checker, disk, changes, line);
	checker->temporaries += disk_has_others(disk, checker->name);
}

static void check_end(struct checker *checker, const struct disk *disk)
{
	const struct inode *inode = disk_find(disk, checker->name, disk->synced);

	if (inode && inode->write_count == 0 && same(&inode->durable, &checker->new) &&
	    !disk_has_others(disk, checker->name))
		return;
	printf("at the end: the new file is not on the disk, or not it alone\n");
	checker->wrong++;
}

static void load(const char *path, struct bytes *bytes)
{
	uint8_t part[65536];
	size_t got;
	FILE *file = fopen(path, "rb");

	*bytes = (struct bytes){ 0 };
	if (!file)
		powerloss_die(path);
	while ((got = fread(part, 1, sizeof(part), file)) > 0)
		bytes_write(bytes, &(struct write){ .bytes = { part, got }, .offset = bytes->size });
	fclose(file);
}

int main(int argc, char *argv[])
{
	struct checker checker = { 0 };
	struct disk disk = { 0 };
	char *line = NULL;
	size_t room = 0;

	if (argc != 5) {
		fputs("usage: powerloss RECORD NAME OLD|- NEW\n", stderr);
		return 2;
	}
	checker.name = argv[2];
	checker.had_old = strcmp(argv[3], "-") != 0;
	if (checker.had_old)
		load(argv[3], &checker.old);
	load(argv[4], &checker.new);
	FILE *record = fopen(argv[1], "r");

	if (!record)
		powerloss_die(argv[1]);
	if (checker.had_old)
		disk_add(&disk, checker.name, &checker.old);
	while (getline(&line, &room, record) > 0)
		if (disk_play(&disk, line))
			check(&checker, &disk, line);
	fclose(record);
	free(line);
	check_end(&checker, &disk);
	printf("%u states after %u changes, %u of them with a temporary name beside it, %u wrong\n", checker.states,
	       disk.played, checker.temporaries, checker.wrong);
	disk_release(&disk);
	bytes_release(&checker.old);
	bytes_release(&checker.new);
	return checker.wrong > 0 || checker.states == 0;
}
