/* Tries to have nubrun read a length twice: by the process engine the pages through which the two take turns are the guest's to
 * write. It claims to stand still at an `out`, and goes on to change the ring whose item that is. With an argument, also to what
 * no ring holds.
 */
#include "nub_guest.h"

#include "engine/process/frame.h"
#include "engine/process/stub.h"

#define SHARED(offset) (NUB_BOX_GVA + NUB_BOX_SHARED_OFFSET + (offset))
enum { CLAIMS = 300, SHORT = 8, LONG = 60000, EXCHANGES = 400 };

static volatile unsigned claims;

static void set(uint64_t offset, uint64_t value)
{
	*(volatile uint64_t *)(nub_peb()->output.gva + offset) = value;
}

/* An item of either length: what the ring's stack pointer says chooses, and both are whole. nubrun wipes what it has read. */
static void put_both(void)
{
	set(8 + SHORT, 8);
	set(8 + LONG, 8);
}

static void claim(const struct nub_signal_frame *honest)
{
	volatile uint32_t *turn = (volatile uint32_t *)SHARED(NUB_BOX_TURN);
	struct nub_signal_frame *frame = *(struct nub_signal_frame *volatile *)SHARED(NUB_BOX_FRAME);

	if (*turn != NUB_BOX_TURN_BOX)
		return;
	put_both();
	*frame = *honest;
	claims++;
	*turn = NUB_BOX_TURN_HOST;
}

int main(int argc, char **argv)
{
	static struct nub_signal_frame honest;
	const struct nub_signal_frame *frame;
	const bool corrupts = argc > 1 && argv[1][0] != '\0';

	put_both();
	set(0, 8 + SHORT + 8);
	__asm__ volatile("outb %b0, %w1" : : "a"(1), "d"((uint16_t)NUB_PORT_PRINT) : "memory", "cc");
	/* Behind each claim, too. The frame of the last stop is where it was, with rip behind the `out`. */
	frame = *(struct nub_signal_frame *volatile *)SHARED(NUB_BOX_FRAME);
	if (claims == 0) {
		honest = *frame;
		honest.rip--;
	}
	while (claims < CLAIMS) {
		claim(&honest);
		for (unsigned i = 0; i < EXCHANGES; i++)
			set(0, i % 2 ? 8 + SHORT + 8 : corrupts && i % 8 == 0 ? UINT64_MAX : 8 + LONG + 8);
	}
	while (*(volatile uint32_t *)SHARED(NUB_BOX_TURN) != NUB_BOX_TURN_BOX)
		;
	set(0, 8);
	return 0;
}
