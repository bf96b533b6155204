/* Crashes told to people. */
#include "report/crash_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *cmd_flags_short(unsigned flags)
{
	static const char *const names[8] = { "---", "R--", "-W-", "RW-", "--X", "R-X", "-WX", "RWX" };

	return names[flags & 7];
}

const char *cmd_region_words(enum nub_region_type type)
{
	switch (type) {
	case NUB_REGION_CODE:
		return "code";
	case NUB_REGION_PEB:
		return "PEB";
	case NUB_REGION_HEAP:
		return "heap";
	case NUB_REGION_INIT_DATA:
		return "init data";
	case NUB_REGION_GUARD:
		return "guard page";
	case NUB_REGION_STACK:
		return "stack";
	case NUB_REGION_PAGE_TABLES:
		return "page tables";
	case NUB_REGION_MAPPED_FILE:
		return "mapped file";
	case NUB_REGION_SCRATCH:
		return "scratch";
	case NUB_REGION_SNAPSHOT:
		return "snapshot";
	}
	return "memory";
}

const char *cmd_access_name(unsigned access)
{
	switch (access) {
	case NUB_REGION_READ:
		return "read";
	case NUB_REGION_WRITE:
		return "write";
	case NUB_REGION_EXECUTE:
		return "execute";
	default:
		return NULL;
	}
}

const char *cmd_frame_symbol(const struct nub_image *image, uint64_t rip, size_t index, uint64_t *offset)
{
	/* A return address may stand behind the end of its function: the call is before it. */
	const uint64_t before = index > 0;
	const char *symbol = image ? nub_image_symbol(image, rip - before, offset) : NULL;

	if (symbol)
		*offset += before;
	return symbol;
}

void cmd_frame_place(const struct nub_image *image, uint64_t rip, size_t index, char *out, size_t size)
{
	uint64_t offset = 0;
	const char *symbol = cmd_frame_symbol(image, rip, index, &offset);

	if (!symbol)
		snprintf(out, size, "0x%" PRIx64, rip);
	else if (offset == 0)
		snprintf(out, size, "%s", symbol);
	else
		snprintf(out, size, "%s+0x%" PRIx64, symbol, offset);
}

void cmd_crash_place(const struct nub_crash *crash, const struct nub_image *image, char *out, size_t size)
{
	cmd_frame_place(image, crash->regs.rip, 0, out, size);
}

void cmd_crash_where(const struct nub_crash *crash, char *out, size_t size)
{
	const bool guard = crash->region.type == NUB_REGION_GUARD, below = crash->region_distance > 0;
	const uint64_t distance = below ? (uint64_t)crash->region_distance : -(uint64_t)crash->region_distance;
	const char *words = guard ? "stack's guard page" : cmd_region_words(crash->region.type);

	if (crash->has_address && crash->address < NUB_BASE_ADDRESS)
		snprintf(out, size, "in the null page");
	else if (distance == 0)
		snprintf(out, size, "in the %s", words);
	else
		snprintf(out, size, "%" PRIu64 " byte%s %s the %s", distance, distance == 1 ? "" : "s",
		         below ? "below" : "above", words);
}

/* What lies at the address: "code, R-X", or the nearest region, or nothing. */
static void describe_address(const struct nub_crash *crash, char *out, size_t size)
{
	uint64_t distance =
	    crash->region_distance < 0 ? -(uint64_t)crash->region_distance : (uint64_t)crash->region_distance;

	if (crash->address < NUB_BASE_ADDRESS)
		snprintf(out, size, "the null page");
	else if (!crash->has_region)
		snprintf(out, size, "not mapped");
	else if (distance == 0 && crash->region.type == NUB_REGION_GUARD)
		snprintf(out, size, "the stack's guard page: stack overflow");
	else if (distance == 0)
		snprintf(out, size, "%s, %s", cmd_region_words(crash->region.type),
		         cmd_flags_short(crash->region.flags));
	else
		/* A distance is counted from the address to the region. */
		snprintf(out, size, "not mapped, 0x%" PRIx64 " bytes %s %s", distance,
		         crash->region_distance > 0 ? "below" : "above", cmd_region_words(crash->region.type));
}

/* In words, where a mnemonic alone says little. */
static const char *vector_words(unsigned vector)
{
	static const char *const words[] = {
		[0] = "divide error",
		[1] = "debug trap",
		[2] = "non-maskable interrupt",
		[3] = "breakpoint",
		[4] = "overflow",
		[5] = "bound range exceeded",
		[6] = "invalid instruction",
		[7] = "no coprocessor",
		[8] = "double fault",
		[10] = "invalid TSS",
		[11] = "segment not present",
		[12] = "stack-segment fault",
		[13] = "general protection fault",
		[14] = "page fault",
		[16] = "x87 floating-point error",
		[17] = "alignment check",
		[18] = "machine check",
		[19] = "SIMD floating-point error",
		[21] = "control protection fault",
	};

	return vector < sizeof(words) / sizeof(words[0]) && words[vector] ? words[vector] : "exception";
}

static void exception_sentence(const struct nub_crash *crash, const char *place, char *out, size_t size)
{
	const char *access = cmd_access_name(crash->access);
	const char *name = nub_vector_name(crash->vector);
	char where[128];

	if (crash->has_address && access) {
		describe_address(crash, where, sizeof(where));
		snprintf(out, size, "%s 0x%" PRIx64 " (%s) at %s: %s",
		         crash->access == NUB_REGION_WRITE     ? "write to"
		         : crash->access == NUB_REGION_EXECUTE ? "execution of"
		                                               : "read from",
		         crash->address, where, place, vector_words(crash->vector));
	} else {
		snprintf(out, size, "%s (%s, vector %u, error code 0x%" PRIx64 ") at %s", vector_words(crash->vector),
		         name ? name : "no name", crash->vector, crash->error_code, place);
	}
}

void cmd_crash_sentence(const struct nub_crash *crash, const struct nub_image *image, char *out, size_t size)
{
	char place[192];

	cmd_crash_place(crash, image, place, sizeof(place));
	switch (crash->kind) {
	case NUB_CRASH_EXCEPTION:
		exception_sentence(crash, place, out, size);
		break;
	case NUB_CRASH_ABORT:
		snprintf(out, size, "aborted%s%s (code %u) at %s", crash->abort_message[0] != '\0' ? ": " : "",
		         crash->abort_message, crash->abort_code, place);
		break;
	case NUB_CRASH_BAD_PORT:
		snprintf(out, size, "%s port 0x%x, which is no call of the guest ABI, at %s",
		         crash->port_read ? "in from" : "out to", crash->port, place);
		break;
	case NUB_CRASH_NO_MEMORY:
		snprintf(out, size, "access to guest-physical 0x%" PRIx64 ", where no memory is, at %s", crash->address,
		         place);
		break;
	case NUB_CRASH_TRIPLE_FAULT:
		if (crash->registers_lost)
			snprintf(out, size, "triple fault, at a place that neither KVM nor a process tells");
		else
			snprintf(out, size, "triple fault at %s", place);
		break;
	case NUB_CRASH_EMULATION:
		snprintf(out, size, "an instruction that this host's KVM can't run, at %s", place);
		break;
	case NUB_CRASH_HALTED:
		snprintf(out, size, "hlt, which nothing would end, at %s", place);
		break;
	case NUB_CRASH_SCRATCH:
		snprintf(out, size, "%s (--scratch), at %s", crash->abort_message, place);
		break;
	case NUB_CRASH_ABI:
		snprintf(out, size, "the guest broke its ABI: %s", crash->abort_message);
		break;
	case NUB_CRASH_SIGNAL:
	case NUB_CRASH_DEADLOCK:
	case NUB_CRASH_UNSUPPORTED:
	case NUB_CRASH_MEMORY:
		snprintf(out, size, "%s, at %s", crash->abort_message, place);
		break;
	}
}
