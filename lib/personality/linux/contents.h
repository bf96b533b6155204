/* What a program that stands still is, for people. */
#ifndef NUB_LINUX_CONTENTS_H
#define NUB_LINUX_CONTENTS_H

#include "personality/linux/linux.h"
#include "personality/personality.h"

/* Append it; the caller frees the list (nub_program_items_release), also after an error. Error: NO_MEMORY. */
int nub_linux_contents(struct nub_linux *linux, struct nub_program_items *list, struct nub_error *err);

#endif
