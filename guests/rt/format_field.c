/* printf's padding: a converted value goes out with its prefix, its pieces and what fills them up (format_field.h). */
#include "format_field.h"

void rt_output_put(struct rt_output *out, const char *text, int64_t size)
{
	if (size > 0)
		out->sink->write(out->sink, text, (size_t)size);
	out->total += size > 0 ? size : 0;
}

static void put_repeated(struct rt_output *out, bool zeros, int64_t count)
{
	static const char blanks[] = "                ";
	static const char noughts[] = "0000000000000000";
	const int64_t most = sizeof(blanks) - 1;

	for (; count > 0; count -= most)
		rt_output_put(out, zeros ? noughts : blanks, count < most ? count : most);
}

void rt_field_add(struct rt_field *field, const char *text, int64_t size)
{
	if (size > 0)
		field->pieces[field->count++] = (struct rt_piece){ text, size };
}

void rt_field_put(struct rt_output *out, const struct rt_spec *spec, const struct rt_field *field)
{
	int64_t size = field->prefix_size;

	for (int i = 0; i < field->count; i++)
		size += field->pieces[i].size;
	int64_t padding = spec->width - size;
	if (!spec->left && !field->zero_fill)
		put_repeated(out, false, padding);
	rt_output_put(out, field->prefix, field->prefix_size);
	if (!spec->left && field->zero_fill)
		put_repeated(out, true, padding);
	for (int i = 0; i < field->count; i++) {
		if (field->pieces[i].text)
			rt_output_put(out, field->pieces[i].text, field->pieces[i].size);
		else
			put_repeated(out, true, field->pieces[i].size);
	}
	if (spec->left)
		put_repeated(out, false, padding);
}

void rt_field_sign(struct rt_field *field, const struct rt_spec *spec, bool negative)
{
	if (negative)
		field->prefix[field->prefix_size++] = '-';
	else if (spec->plus)
		field->prefix[field->prefix_size++] = '+';
	else if (spec->space)
		field->prefix[field->prefix_size++] = ' ';
}
