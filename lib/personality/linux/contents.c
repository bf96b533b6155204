/* What a frozen program is, told to people: arguments, threads, open files, grants. Nothing depends on it when it is thawed. */
#include "personality/linux/contents.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "personality/linux/call.h"
#include "personality/linux/checkpoints.h"
#include "personality/linux/files.h"
#include "personality/linux/start.h"
#include "personality/linux/threads.h"

static int add(struct nub_program_items *list, enum nub_program_item_kind kind, uint32_t number, const char *text,
               struct nub_error *err)
{
	struct nub_program_item *items = reallocarray(list->items, list->count + 1, sizeof(*items));

	if (items)
		list->items = items;
	char *copy = items ? strndup(text, NUB_PROGRAM_ITEM_MAX) : NULL;
	if (!copy)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %zu contents", list->count + 1);
	items[list->count++] = (struct nub_program_item){ .kind = kind, .number = number, .text = copy };
	return 0;
}

static int add_arguments(const struct nub_linux *linux, struct nub_program_items *list, struct nub_error *err)
{
	const struct nub_linux_program *program = linux->program;
	uint32_t number = 0;

	for (size_t at = 0; at < program->arguments_size && number < NUB_PROGRAM_ITEMS_MAX / 4; number++) {
		const char *argument = (const char *)program->arguments + at;
		const size_t length = strnlen(argument, program->arguments_size - at);
		NUB_AUTO_FREE char *text = strndup(argument, length);
		if (!text)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "arguments");
		if (add(list, NUB_PROGRAM_ARGUMENT, number, text, err) < 0)
			return -1;
		at += length + 1;
	}
	return 0;
}

/* "name, in futex", "name, at a checkpoint", "name, at a checkpoint that takes arguments" or "name" */
static int add_threads(const struct nub_linux *linux, struct nub_program_items *list, struct nub_error *err)
{
	for (size_t i = 0; i < linux->threads->count; i++) {
		const struct nub_linux_thread *thread = linux->threads->list[i];
		const char *call = thread->wait.waiting ? nub_linux_call_name(thread->call) : NULL;
		const char *checkpoint = thread->checkpoint & NUB_LINUX_CHECKPOINT_WANTS
		                             ? ", at a checkpoint that takes arguments"
		                         : thread->checkpoint ? ", at a checkpoint"
		                                              : "";
		char text[96];
		snprintf(text, sizeof(text), "%.15s%s%s%s", thread->name, call ? ", in " : "", call ? call : "",
		         checkpoint);
		if (add(list, NUB_PROGRAM_THREAD, (uint32_t)thread->tid, text, err) < 0)
			return -1;
	}
	return 0;
}

static int add_descriptors(struct nub_linux *linux, struct nub_program_items *list, struct nub_error *err)
{
	const struct nub_linux_files *files = linux->files;

	for (unsigned fd = 0; fd < files->descriptor_count && fd < NUB_PROGRAM_ITEMS_MAX / 4; fd++) {
		char text[NUB_PROGRAM_ITEM_MAX + 1];
		if (!files->descriptors[fd].file)
			continue;
		if (nub_linux_file_describe(linux, files->descriptors[fd].file, text, sizeof(text)) < 0)
			snprintf(text, sizeof(text), "?");
		if (add(list, NUB_PROGRAM_DESCRIPTOR, fd, text, err) < 0)
			return -1;
	}
	return 0;
}

static int add_grants(const struct nub_linux *linux, struct nub_program_items *list, struct nub_error *err)
{
	static const char *const kinds[] = { "root", "dir", "file", "tmpfs" };

	for (size_t i = 0; i < linux->config.grant_count; i++) {
		const struct nub_linux_grant *grant = &linux->config.grants[i];
		char text[NUB_PROGRAM_ITEM_MAX + 1];
		snprintf(text, sizeof(text), "%s %.*s%s", kinds[grant->kind], NUB_PROGRAM_ITEM_MAX - 16, grant->guest,
		         grant->writable && grant->kind != NUB_LINUX_GRANT_TMPFS ? ", to write" : "");
		if (add(list, NUB_PROGRAM_GRANT, (uint32_t)i, text, err) < 0)
			return -1;
	}
	return 0;
}

int nub_linux_contents(struct nub_linux *linux, struct nub_program_items *list, struct nub_error *err)
{
	if (add_arguments(linux, list, err) < 0 || add_threads(linux, list, err) < 0 ||
	    add_descriptors(linux, list, err) < 0)
		return -1;
	return add_grants(linux, list, err);
}
