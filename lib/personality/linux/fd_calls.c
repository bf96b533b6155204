/* Calls on descriptors themselves: dup, close, fcntl(2). */
#include <asm/unistd_64.h>
#include <errno.h>
#include <linux/close_range.h>
#include <sys/file.h>
#include <unistd.h>

#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"
#include "personality/linux/pipe.h"

NUB_LINUX_ARG_SHORT_NAMES;

/* How long a lock that somebody outside has is waited for until it is asked for again. */
#define LOCK_RETRY_NS UINT64_C(10000000)

/* What fcntl(2) can change of a description's flags. */
#define SET_FLAGS (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_ASYNC)

static int64_t serve_close(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	return nub_linux_fd_close(linux->files, args[0]);
}

static int64_t serve_close_range(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_files *files = linux->files;
	const uint32_t first = (uint32_t)args[0], last = (uint32_t)args[1], flags = (uint32_t)args[2];

	(void)thread;
	if (flags & ~(uint32_t)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last)
		return -EINVAL;
	for (uint32_t fd = first; fd <= last && fd < files->descriptor_count; fd++) {
		if (!(flags & CLOSE_RANGE_CLOEXEC))
			nub_linux_fd_close(files, fd);
		else if (files->descriptors[fd].file)
			files->descriptors[fd].close_on_exec = true;
	}
	return 0;
}

static int64_t serve_dup(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_file *file = nub_linux_fd_get(linux->files, args[0]);

	(void)thread;
	return file ? nub_linux_fd_install(linux->files, nub_linux_file_ref(file), 0, false) : -EBADF;
}

static int64_t dup_to(struct nub_linux *linux, uint32_t from, uint32_t to, bool close_on_exec)
{
	struct nub_linux_file *file = nub_linux_fd_get(linux->files, from);

	if (!file || to >= linux->config.max_fds)
		return -EBADF;
	return nub_linux_fd_install_at(linux->files, nub_linux_file_ref(file), to, close_on_exec);
}

static int64_t serve_dup2(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	if ((uint32_t)args[0] == (uint32_t)args[1])
		return nub_linux_fd_get(linux->files, args[0]) ? (int64_t)(uint32_t)args[0] : -EBADF;
	return dup_to(linux, (uint32_t)args[0], (uint32_t)args[1], false);
}

static int64_t serve_dup3(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	if ((uint32_t)args[2] & ~(uint32_t)O_CLOEXEC || (uint32_t)args[0] == (uint32_t)args[1])
		return -EINVAL;
	return dup_to(linux, (uint32_t)args[0], (uint32_t)args[1], args[2] & O_CLOEXEC);
}

static int64_t dup_above(struct nub_linux *linux, struct nub_linux_file *file, uint64_t least, bool close_on_exec)
{
	if ((uint32_t)least >= linux->config.max_fds)
		return -EINVAL;
	return nub_linux_fd_install(linux->files, nub_linux_file_ref(file), (uint32_t)least, close_on_exec);
}

static int64_t set_flags(struct nub_linux_file *file, uint32_t flags)
{
	file->flags = (file->flags & ~(uint32_t)SET_FLAGS) | (flags & SET_FLAGS);
	return 0;
}

static int check_lock(const struct nub_linux_file *file, int command, const struct flock *lock)
{
	if (lock->l_whence != SEEK_SET && lock->l_whence != SEEK_CUR && lock->l_whence != SEEK_END)
		return -EINVAL;
	if (command >= F_OFD_GETLK && lock->l_pid != 0)
		return -EINVAL;
	if (lock->l_type != F_RDLCK && lock->l_type != F_WRLCK && (lock->l_type != F_UNLCK || command == F_GETLK))
		return -EINVAL;
	if (command != F_GETLK && command != F_OFD_GETLK &&
	    ((lock->l_type == F_RDLCK && !nub_linux_file_reads(file)) ||
	     (lock->l_type == F_WRLCK && !nub_linux_file_writes(file))))
		return -EBADF;
	return 0;
}

/* A lock of a program outside tells nobody here that it goes: so it is asked for again and again. */
static int64_t wait_for_lock(struct nub_linux *linux, struct nub_linux_thread *thread, struct nub_linux_file *file)
{
	if (file->inode)
		nub_linux_wait_object(&thread->wait, file->inode);
	else
		nub_linux_wait_until(&thread->wait, nub_linux_monotonic(linux) + LOCK_RETRY_NS);
	return nub_linux_wait(&thread->wait, NUB_LINUX_ERESTARTSYS);
}

static int64_t lock(struct nub_linux *linux, struct nub_linux_thread *thread, struct nub_linux_file *file, int command,
                    uint64_t gva)
{
	const bool waits = command == F_SETLKW || command == F_OFD_SETLKW;
	const int asked = command == F_SETLKW ? F_SETLK : command == F_OFD_SETLKW ? F_OFD_SETLK : command;
	struct flock lock;
	int64_t error = nub_linux_read(linux, gva, &lock, sizeof(lock));

	if (error == 0)
		error = check_lock(file, asked, &lock);
	if (error < 0)
		return error;
	if (!file->ops->lock)
		return -EINVAL;
	error = file->ops->lock(linux, file, asked, &lock);
	if (error == -EAGAIN && waits)
		return wait_for_lock(linux, thread, file);
	if (error == 0 && (asked == F_GETLK || asked == F_OFD_GETLK))
		error = nub_linux_write(linux, gva, &lock, sizeof(lock));
	return error;
}

static int64_t seals(struct nub_linux_file *file, int command, uint32_t add)
{
	const uint32_t all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;

	if (!file->inode || !S_ISREG(file->inode->mode))
		return -EINVAL;
	if (command == F_GET_SEALS)
		return file->inode->seals;
	if (!nub_linux_file_writes(file))
		return -EPERM;
	if (add & ~all)
		return -EINVAL;
	if (file->inode->seals & F_SEAL_SEAL)
		return -EPERM;
	file->inode->seals |= add;
	return 0;
}

static int64_t serve_fcntl(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_file *file = nub_linux_fd_get(linux->files, args[0]);
	const int command = (int)args[1];

	if (!file)
		return -EBADF;
	struct nub_linux_descriptor *descriptor = &linux->files->descriptors[(uint32_t)args[0]];

	switch (command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return dup_above(linux, file, args[2], command == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return descriptor->close_on_exec ? FD_CLOEXEC : 0;
	case F_SETFD:
		descriptor->close_on_exec = args[2] & FD_CLOEXEC;
		return 0;
	case F_GETFL:
		return file->flags;
	}
	if (file->flags & O_PATH)
		return -EBADF;
	switch (command) {
	case F_SETFL:
		return set_flags(file, (uint32_t)args[2]);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return lock(linux, thread, file, command, args[2]);
	case F_GETPIPE_SZ:
	case F_SETPIPE_SZ:
		return nub_linux_pipe_size(linux->files, file, command == F_SETPIPE_SZ, args[2]);
	case F_ADD_SEALS:
	case F_GET_SEALS:
		return seals(file, command, (uint32_t)args[2]);
	case F_GETOWN:
	case F_GETSIG:
		return 0; /* nobody: O_ASYNC sends no signals here */
	}
	return -EINVAL;
}

static int64_t serve_flock(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_file *file = nub_linux_fd_io(linux->files, args[0]);
	const int operation = (int)args[1], kind = operation & ~LOCK_NB;

	if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN)
		return -EINVAL;
	if (!file)
		return -EBADF;
	if (!file->ops->flock)
		return 0; /* nobody else can have this one open */
	const int error = file->ops->flock(linux, file, operation | LOCK_NB);

	return error == -EAGAIN && !(operation & LOCK_NB) ? wait_for_lock(linux, thread, file) : error;
}

static const struct nub_linux_call calls[] = {
	{ __NR_close, "close", serve_close, { FD }, false },
	{ __NR_close_range, "close_range", serve_close_range, { FD, FD, HEX }, false },
	{ __NR_dup, "dup", serve_dup, { FD }, false },
	{ __NR_dup2, "dup2", serve_dup2, { FD, FD }, false },
	{ __NR_dup3, "dup3", serve_dup3, { FD, FD, OPEN }, false },
	{ __NR_fcntl, "fcntl", serve_fcntl, { FD, INT, HEX }, false },
	{ __NR_flock, "flock", serve_flock, { FD, INT }, false },
};

const struct nub_linux_family nub_linux_fd_family = {
	.name = "descriptors",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
