/* Pairs of sockets inside the program: socketpair(AF_UNIX). unix(7). Data alone: no descriptors are passed. */
#ifndef NUB_LINUX_SOCKET_H
#define NUB_LINUX_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "personality/linux/file.h"
#include "personality/linux/pipe.h"

enum { NUB_LINUX_SOCKET_ROOM = 212992 }; /* bytes on their way, as Linux's default */

/* One end. What the other one sends comes into its ring: bytes of a stream, or messages, each after its u32 length. */
struct nub_linux_socket {
	struct nub_linux_ring ring;
	struct nub_linux_socket *peer; /* NULL: closed */
	int type;                      /* SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET */
	bool shut_read, shut_write;
	bool alone; /* it never had a peer: socket(2) */
	int error;  /* ECONNRESET, told once */
	struct nub_linux_edges edges;
	uint32_t number;
	uint32_t mark; /* what saving calls it */
};

extern const struct nub_linux_file_ops nub_linux_socket_ops;

/* One end and its description, without a peer: one ref, or NULL. `flags` are O_*. */
struct nub_linux_file *nub_linux_socket_open(struct nub_linux_files *files, int type, uint32_t flags);
void nub_linux_socket_join(struct nub_linux_socket *one, struct nub_linux_socket *other);

/* Receive and send with MSG_* flags; -EAGAIN as all operations. *whole is how long a message was, whatever fitted. */
int64_t nub_linux_socket_receive(struct nub_linux *linux, struct nub_linux_socket *socket, struct nub_linux_user *to,
                                 uint32_t flags, uint64_t *whole);
int64_t nub_linux_socket_send(struct nub_linux *linux, struct nub_linux_socket *socket, struct nub_linux_user *from);
void nub_linux_socket_shut(struct nub_linux *linux, struct nub_linux_socket *socket, bool reads, bool writes);

/* The socket's description; NULL and -EBADF or -ENOTSOCK. */
struct nub_linux_file *nub_linux_socket_of(const struct nub_linux *linux, uint64_t fd, int64_t *error);

#endif
