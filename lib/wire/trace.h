/* Batches of trace records, from the bytes that a guest sent to records at host time (layout: abi/nub_abi.h). Pure.
 *
 *     struct nub_trace_reader reader;
 *     struct nub_trace_record record;
 *     int more;
 *     if (nub_trace_reader_init(&reader, bytes, size, &clock, err) < 0) ...
 *     while ((more = nub_trace_reader_next(&reader, &record, err)) > 0) ...
 *     if (more < 0) ...
 *
 * The guest's counter becomes host time by its distance from the counter at which the batch was sent, which is when it
 * arrived. A counter that runs backwards, or too far back, is the guest's affair: times are only kept in order, between
 * clock.not_before and clock.arrived_ns. Errors: VALUE.
 */
#ifndef NUB_TRACE_H
#define NUB_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "nub/config.h"
#include "nub/error.h"

struct nub_trace_clock {
	uint64_t arrived_ns; /* the host's time when the batch had been sent */
	uint64_t not_before; /* no record is older */
	uint64_t tsc_khz;    /* of the guest; 0 when it is not known: all of the batch is at arrived_ns */
};

struct nub_trace_reader {
	struct nub_cursor cursor;
	struct nub_trace_clock clock;
	uint64_t sent_tsc;
	char name[NUB_TRACE_NAME_MAX * 3 + 1]; /* a byte that is not UTF-8 becomes three */
};

/* bytes is borrowed until the last record has been read. */
int nub_trace_reader_init(struct nub_trace_reader *reader, const uint8_t *bytes, size_t size,
                          const struct nub_trace_clock *clock, struct nub_error *err);

/* 1 and a record, whose name is valid until the next one; 0 at the end; -1. */
int nub_trace_reader_next(struct nub_trace_reader *reader, struct nub_trace_record *record, struct nub_error *err);

#endif
