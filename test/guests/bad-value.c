/* Sends replies, host calls and log records that can't be decoded, as its argument names them. */
#include "nub_guest.h"

static void push(const void *item, uint64_t size)
{
	uint8_t *ring = (uint8_t *)(uintptr_t)nub_peb()->output.gva;
	uint64_t top;

	memcpy(&top, ring, sizeof(top));
	memcpy(ring + top, item, size);
	memcpy(ring + top + size, &top, sizeof(top));
	top += size + sizeof(top);
	memcpy(ring, &top, sizeof(top));
}

/* The runtime's dispatch entry: a halt has to name it, so that nothing but the item is wrong. */
extern const char rt_dispatch[];

static void out(uint16_t port, uint32_t value)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(value), "d"(port), "D"(rt_dispatch) : "memory");
}

/* Items as they would be on the wire; each is wrong in one place. */
#define ITEM(name, port, bytes)                                                                                        \
	{                                                                                                              \
		name, port, bytes, sizeof(bytes) - 1                                                                   \
	}
static const struct {
	const char *name;
	uint16_t port;
	const char *item;
	size_t size;
} items[] = {
	ITEM("call-kind", NUB_PORT_CALL, "\x07\x00\x00\x01\x00\x00\x00x"),
	ITEM("call-short", NUB_PORT_CALL, "\x01\x00"),
	ITEM("call-result-type", NUB_PORT_CALL, "\x01\x0a\x00\x01\x00\x00\x00x"),
	ITEM("call-count", NUB_PORT_CALL, "\x01\x00\x0b\x01\x00\x00\x00x"),
	ITEM("call-name-length", NUB_PORT_CALL, "\x01\x00\x00\xff\xff\xff\xffx"),
	ITEM("call-name-empty", NUB_PORT_CALL, "\x01\x00\x00\x00\x00\x00\x00"),
	ITEM("call-arg-type", NUB_PORT_CALL, "\x01\x00\x01\x01\x00\x00\x00x\x63"),
	ITEM("call-arg-short", NUB_PORT_CALL, "\x01\x00\x01\x01\x00\x00\x00x\x03\x01\x02"),
	ITEM("call-arg-length", NUB_PORT_CALL, "\x01\x00\x01\x01\x00\x00\x00x\x08\xff\xff\xff\x7f"),
	ITEM("call-bool", NUB_PORT_CALL, "\x01\x00\x01\x01\x00\x00\x00x\x07\x02"),
	ITEM("call-nul", NUB_PORT_CALL,
	     "\x01\x00\x01\x01\x00\x00\x00x\x08\x03\x00\x00\x00"
	     "a\0b"),
	ITEM("call-trailing", NUB_PORT_CALL, "\x01\x00\x00\x01\x00\x00\x00x!"),
	ITEM("log-short", NUB_PORT_LOG, "\x03\x01"),
	ITEM("log-level", NUB_PORT_LOG,
	     "\xff\x01\x00\x00\x00\x01\x00\x00\x00"
	     "f\x01\x00\x00\x00m"),
	ITEM("log-source-length", NUB_PORT_LOG,
	     "\x03\x01\x00\x00\x00\xff\xff\xff\xff"
	     "f"),
	ITEM("log-message-length", NUB_PORT_LOG,
	     "\x03\x01\x00\x00\x00\x01\x00\x00\x00"
	     "f\xff\xff\xff\xffm"),
	ITEM("reply-kind", NUB_PORT_HALT, "\x05\x00"),
	ITEM("reply-type", NUB_PORT_HALT, "\x00\x63"),
	ITEM("reply-other-type", NUB_PORT_HALT, "\x00\x01\x01\x00\x00\x00"),
	ITEM("reply-length", NUB_PORT_HALT, "\x00\x09\xff\xff\xff\xff"),
	ITEM("reply-trailing", NUB_PORT_HALT, "\x00\x00\x00"),
	ITEM("reply-error-length", NUB_PORT_HALT, "\x01\x01\x00\x00\x00\xff\xff\xff\xff"),
	ITEM("reply-empty", NUB_PORT_HALT, ""),
};

/* A VOID function: a reply with anything but OK and VOID is wrong. Halts by itself, so no other reply follows. */
static void send(const char *name)
{
	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
		if (strcmp(items[i].name, name) != 0)
			continue;
		push(items[i].item, items[i].size);
		out(items[i].port, items[i].port == NUB_PORT_HALT ? NUB_HALT_DONE : 0);
		return;
	}
	nub_fail(2, "no item is called '%s'", name);
}
NUB_EXPORT(send, VOID, STRING)

/* Without an argument, prints the names. */
int main(int argc, char **argv)
{
	if (argc > 1) {
		send(argv[1]);
		return 0;
	}
	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
		puts(items[i].name);
	return 0;
}
