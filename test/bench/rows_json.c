/* The rows as JSON, for scripts/bench-chart and test/bench/counts:
 *
 *     machine         cpu, cores, memory_mib, kernel (its release), kernel_version, kvm (the module; null: none that can be used)
 *     nubrun, compiler, libc, runs
 *     rows            engine, row; base, base_median, base_q1, base_q3; measured, median, q1, q3; unit, ratio; to_reach (null:
 *                     nothing is set); or engine, row and not_measured: why
 */
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>

#include "machine.h"
#include "measure.h"
#include "rows.h"
#include "json/json.h"

/* Names are literals. */
static void add_text(struct cmd_json *object, const char *name, const char *text)
{
	cmd_json_add(object, name, text ? cmd_json_cstring(text) : NULL);
}

static void add_number(struct cmd_json *object, const char *name, double number)
{
	char text[64];

	snprintf(text, sizeof(text), "%.4f", number);
	cmd_json_add(object, name, cmd_json_number(text));
}

static struct cmd_json *machine_json(const struct machine *machine)
{
	struct cmd_json *object = cmd_json_object();

	add_text(object, "cpu", machine->cpu);
	cmd_json_add(object, "cores", cmd_json_int(machine->cores));
	cmd_json_add(object, "memory_mib", cmd_json_int(machine->memory_mib));
	add_text(object, "kernel", machine->kernel.release);
	add_text(object, "kernel_version", machine->kernel.version);
	add_text(object, "kvm", machine->kvm);
	return object;
}

static void add_measured(struct cmd_json *object, const struct row *row)
{
	add_text(object, "base", row->base.name);
	add_number(object, "base_median", row->base.median);
	add_number(object, "base_q1", row->base.q1);
	add_number(object, "base_q3", row->base.q3);
	add_text(object, "measured", row->ours.name);
	add_number(object, "median", row->ours.median);
	add_number(object, "q1", row->ours.q1);
	add_number(object, "q3", row->ours.q3);
	add_text(object, "unit", row->unit);
	add_number(object, "ratio", row_ratio(row));
	if (row->target > 0)
		add_number(object, "to_reach", row->target);
	else
		cmd_json_add(object, "to_reach", NULL);
}

static struct cmd_json *row_json(const struct row *row)
{
	struct cmd_json *object = cmd_json_object();

	add_text(object, "engine", row->engine);
	add_text(object, "row", row->what);
	if (row->reason)
		add_text(object, "not_measured", row->reason);
	else
		add_measured(object, row);
	return object;
}

static struct cmd_json *rows_json(void)
{
	struct cmd_json *array = cmd_json_array();
	size_t count;
	const struct row *rows = rows_all(&count);

	for (size_t i = 0; i < count; i++)
		cmd_json_append(array, row_json(&rows[i]));
	return array;
}

/* The compiler that made this program, and so nubrun. */
#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

static struct cmd_json *all_json(size_t runs)
{
	struct cmd_json *object = cmd_json_object();
	struct machine machine;

	machine_look(&machine);
	cmd_json_add(object, "machine", machine_json(&machine));
	add_text(object, "nubrun", machine.nubrun);
	add_text(object, "compiler", COMPILER);
	add_text(object, "libc", gnu_get_libc_version());
	cmd_json_add(object, "runs", cmd_json_uint(runs));
	cmd_json_add(object, "rows", rows_json());
	return object;
}

void rows_write(const char *path, size_t runs)
{
	struct cmd_json *object = all_json(runs);
	size_t size;
	char *text = cmd_json_text(object, true, &size);
	FILE *file = fopen(path, "w");

	if (!file || fwrite(text, 1, size, file) != size || fclose(file) < 0)
		fail(path);
	free(text);
	cmd_json_free(object);
}
