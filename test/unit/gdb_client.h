/* A client in the place of gdb: the test's own thread talks, another one runs the guest under the debugger. */
#ifndef GDB_CLIENT_H
#define GDB_CLIENT_H

#include "kvm_guest.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "gdb/gdb_protocol.h"

struct debugged {
	struct guest guest;
	int client, server; /* -1 when closed */
	pthread_t thread;
	const char *argument; /* of main; NULL none */
	bool saves_nothing;   /* its client may not save snapshots */
	int (*run)(struct debugged *debugged);
	int result;
	struct nub_error err;
	bool signal_left; /* SIGIO is still blocked, or pending, after the run */
	struct nub_gdb_decoder decoder;
};

static inline int run_main(struct debugged *debugged)
{
	const char *const argv[] = { "guest", debugged->argument, NULL };

	return nub_sandbox_run_main(debugged->guest.sandbox, debugged->argument ? 2 : 1, argv, &debugged->guest.outcome,
	                            &debugged->err);
}

static inline void *run_debugged(void *context)
{
	struct debugged *debugged = context;
	sigset_t blocked, pending;

	debugged->result = debugged->run(debugged);
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	sigpending(&pending);
	debugged->signal_left = sigismember(&blocked, SIGIO) || sigismember(&pending, SIGIO);
	return NULL;
}

/* Attach to the guest's sandbox and let the thread run it: it stops at once, and waits for packets. */
static inline void debug_start(struct debugged *debugged)
{
	/* No test waits for ever. */
	const struct timeval patience = { .tv_sec = (time_t)slow(20) };
	static const struct nub_snapshot_options snapshot;
	int sockets[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	debugged->client = sockets[0];
	debugged->server = sockets[1];
	assert_int_equal(setsockopt(debugged->client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(nub_sandbox_attach_debugger(debugged->guest.sandbox, debugged->server,
	                                             debugged->saves_nothing ? NULL : &snapshot, &debugged->guest.err),
	                 0);
	if (!debugged->run)
		debugged->run = run_main;
	assert_int_equal(pthread_create(&debugged->thread, NULL, run_debugged, debugged), 0);
}

static inline void debug_open(struct debugged *debugged, const char *name, enum nub_cow cow)
{
	memset(debugged, 0, sizeof(*debugged));
	guest_load(&debugged->guest, name);
	debugged->guest.config.cow = cow;
	guest_create(&debugged->guest);
}

static inline void hang_up(struct debugged *debugged)
{
	if (debugged->client >= 0)
		close(debugged->client);
	debugged->client = -1;
}

/* The run is over, or comes to its end without a client. */
static inline void debug_join(struct debugged *debugged)
{
	assert_int_equal(pthread_join(debugged->thread, NULL), 0);
	assert_false(debugged->signal_left);
}

static inline void debug_close(struct debugged *debugged)
{
	guest_close(&debugged->guest);
	hang_up(debugged);
	close(debugged->server);
}

static inline void send_bytes(struct debugged *debugged, const void *bytes, size_t size)
{
	assert_int_equal(send(debugged->client, bytes, size, MSG_NOSIGNAL), size);
}

static inline void send_packet(struct debugged *debugged, const char *packet)
{
	struct nub_buffer frame = { 0 };

	assert_int_equal(nub_gdb_frame(&frame, packet, strlen(packet), NULL), 0);
	send_bytes(debugged, frame.bytes, frame.size);
	nub_buffer_release(&frame);
}

/* The next packet; it stays until the one after it. */
static inline const char *receive(struct debugged *debugged)
{
	enum nub_gdb_event event;

	do {
		uint8_t byte;
		if (recv(debugged->client, &byte, 1, 0) != 1)
			fail_msg("no answer from the stub");
		event = nub_gdb_decode(&debugged->decoder, byte);
	} while (event == NUB_GDB_NOTHING);
	assert_int_equal(event, NUB_GDB_PACKET);
	return (const char *)debugged->decoder.data;
}

static inline const char *ask(struct debugged *debugged, const char *packet)
{
	send_packet(debugged, packet);
	return receive(debugged);
}

/* The answer begins with this. */
static inline void expect(struct debugged *debugged, const char *packet, const char *begin)
{
	const char *reply = ask(debugged, packet);

	if (strncmp(reply, begin, strlen(begin)) != 0)
		fail_msg("%s: got %.80s, not %s", packet, reply, begin);
}

/* Little-endian, as in p's answers. */
static inline uint64_t ask_register(struct debugged *debugged, unsigned number)
{
	char packet[16];
	uint64_t value = 0;

	snprintf(packet, sizeof(packet), "p%x", number);
	const char *reply = ask(debugged, packet);
	struct nub_gdb_text text = { (const uint8_t *)reply, (const uint8_t *)reply + strlen(reply) };
	const size_t size = strlen(reply) / 2 < sizeof(value) ? strlen(reply) / 2 : sizeof(value);
	assert_true(size > 0 && nub_gdb_take_bytes(&text, (uint8_t *)&value, size));
	return value;
}

/* The address at which a function, or a variable, begins. */
static inline uint64_t address_of(const struct debugged *debugged, const char *symbol)
{
	const struct nub_image_info *info = nub_image_info(debugged->guest.image);

	for (uint64_t gva = info->image_base; gva < info->image_base + info->image_size; gva++) {
		uint64_t offset;
		const char *name = nub_image_symbol(debugged->guest.image, gva, &offset);
		if (name && offset == 0 && strcmp(name, symbol) == 0)
			return gva;
	}
	fail_msg("no symbol %s", symbol);
	return 0;
}

static inline void set_breakpoint(struct debugged *debugged, uint64_t gva)
{
	char packet[40];

	snprintf(packet, sizeof(packet), "Z0,%" PRIx64 ",1", gva);
	expect(debugged, packet, "OK");
}

static inline void clear_breakpoint(struct debugged *debugged, uint64_t gva)
{
	char packet[40];

	snprintf(packet, sizeof(packet), "z0,%" PRIx64 ",1", gva);
	expect(debugged, packet, "OK");
}

#endif
