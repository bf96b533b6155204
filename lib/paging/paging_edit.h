/* Changing page tables that a CPU uses: leaves entered, their rights changed, taken out. Pure.
 *
 * SDM vol. 3A, 4.5 and 4.10. An editor sees tables through a callback, as walks do (paging.h), and never trusts them: an entry
 * that points where no table can be is not followed. What only adds rights, or fills an entry that was empty, takes effect by
 * itself: the CPU asks again when it faults. Of every other store the caller is told, since a translation may be kept
 * somewhere: it makes the CPU forget it before the guest goes on, and until then uses no page and no table again that was
 * taken out.
 */
#ifndef NUB_PAGING_EDIT_H
#define NUB_PAGING_EDIT_H

#include <stdint.h>

#include "nub/error.h"

struct nub_pt_editor {
	void *context;
	uint64_t root_gpa;
	/* The 512 entries at gpa; NULL when no table can be there. */
	uint64_t *(*table)(void *context, uint64_t gpa);
	/* A zeroed table for more entries; its gpa, or 0 and *err. */
	uint64_t (*alloc)(void *context, struct nub_error *err);
	/* A table that nothing points at any more. */
	void (*release)(void *context, uint64_t gpa);
	/* The entry at entry_gpa, of a table of `level`, which maps gva (its start), lost rights or points elsewhere. */
	void (*taken)(void *context, uint64_t entry_gpa, uint64_t gva, unsigned level);
};

/* What code at CPL 3 may do. Without any, the page stays where it is, out of its reach. */
enum nub_pt_rights {
	NUB_PT_READ = 1,
	NUB_PT_WRITE = 2,
	NUB_PT_EXECUTE = 4,
};

/* Enter [gva, gva + size), where nothing is, with 2 MiB leaves where gva and gpa allow. gva and gpa are page-aligned, gva in the
 * lower half. Errors: PAGE_CONFLICT, alloc's; a part may be entered then. */
int nub_pt_edit_map(const struct nub_pt_editor *editor, uint64_t gva, uint64_t gpa, uint64_t size, unsigned rights,
                    struct nub_error *err);

/* Change the rights of all leaves in [gva, gva + size); leaves that lie in it partly are split. Errors: alloc's. */
int nub_pt_edit_protect(const struct nub_pt_editor *editor, uint64_t gva, uint64_t size, unsigned rights,
                        struct nub_error *err);

/* Take all leaves in [gva, gva + size) out, and the tables that are empty then. Errors: alloc's. */
int nub_pt_edit_unmap(const struct nub_pt_editor *editor, uint64_t gva, uint64_t size, struct nub_error *err);

#endif
