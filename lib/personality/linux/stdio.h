/* Standard input, output and error, and the terminal behind them. */
#ifndef NUB_LINUX_STDIO_H
#define NUB_LINUX_STDIO_H

#include "nub/error.h"
#include "personality/linux/file.h"

/* kind_number says which: 0, 1, 2; or 5, the terminal: reads from 0 and writes to 1. */
enum { NUB_LINUX_STDIN, NUB_LINUX_STDOUT, NUB_LINUX_STDERR, NUB_LINUX_TTY = 5 };
extern const struct nub_linux_file_ops nub_linux_stdio_ops;

/* One of them: one ref. A standard input that is a regular file is one of the host's, without a path. NULL: no memory. */
struct nub_linux_file *nub_linux_stdio_open(struct nub_linux_files *files, uint32_t which, uint32_t flags);

/* Is the program's terminal the host's? */
bool nub_linux_has_terminal(const struct nub_linux *linux);

#endif
