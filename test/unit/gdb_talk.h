/* A conversation with a session about a target that is no machine: what is said, and what comes back. */
#ifndef GDB_TALK_H
#define GDB_TALK_H

#include "unit.h"

#include "gdb_fake.h"

struct talk {
	struct fake fake;
	struct nub_gdb_session session;
	struct nub_gdb_decoder decoder; /* of what the session sends */
};

static inline int set_up(void **state)
{
	struct talk *talk = calloc(1, sizeof(*talk));

	assert_non_null(talk);
	fake_init(&talk->fake);
	nub_gdb_session_init(&talk->session, &talk->fake.target);
	*state = talk;
	return 0;
}

static inline int tear_down(void **state)
{
	struct talk *talk = *state;

	nub_gdb_session_release(&talk->session);
	free(talk);
	return 0;
}

static inline enum nub_gdb_action take(struct talk *talk, const void *bytes, size_t size)
{
	enum nub_gdb_action action = NUB_GDB_WAIT;

	for (size_t i = 0; i < size && action == NUB_GDB_WAIT; i++)
		action = nub_gdb_session_take(&talk->session, ((const uint8_t *)bytes)[i]);
	return action;
}

static inline enum nub_gdb_action say_bytes(struct talk *talk, const void *packet, size_t size)
{
	struct nub_buffer frame = { 0 };

	assert_int_equal(nub_gdb_frame(&frame, packet, size, NULL), 0);
	talk->session.out.size = 0;
	const enum nub_gdb_action action = take(talk, frame.bytes, frame.size);
	nub_buffer_release(&frame);
	return action;
}

static inline enum nub_gdb_action say(struct talk *talk, const char *packet)
{
	return say_bytes(talk, packet, strlen(packet));
}

/* What came: one packet, decoded. */
static inline const char *answer(struct talk *talk)
{
	const struct nub_buffer *out = &talk->session.out;
	enum nub_gdb_event event = NUB_GDB_NOTHING;

	for (size_t i = 0; i < out->size; i++) {
		assert_int_equal(event, NUB_GDB_NOTHING);
		event = nub_gdb_decode(&talk->decoder, out->bytes[i]);
	}
	assert_int_equal(event, NUB_GDB_PACKET);
	return (const char *)talk->decoder.data;
}

/* As much of it as there is room for. */
static inline void copy_answer(struct talk *talk, char *text, size_t size)
{
	const char *reply = answer(talk);
	const size_t length = strlen(reply) < size ? strlen(reply) : size - 1;

	memcpy(text, reply, length);
	text[length] = '\0';
}

static inline void expect(struct talk *talk, const char *packet, const char *reply)
{
	assert_int_equal(say(talk, packet), NUB_GDB_WAIT);
	assert_string_equal(answer(talk), reply);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
