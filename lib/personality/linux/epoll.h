/* What epoll instances must be told by others. */
#ifndef NUB_LINUX_EPOLL_H
#define NUB_LINUX_EPOLL_H

struct nub_linux_file;
struct nub_linux_files;

/* The last descriptor of this description is gone: no epoll instance watches it any more. */
void nub_linux_epoll_forget(struct nub_linux_files *files, const struct nub_linux_file *file);

#endif
