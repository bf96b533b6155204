"""Run modules of CPython's own test suite, as `python3 -m test` does, in a process that can't have another one and has no network.

What the suite knows of such platforms it is told; a test that reaches for either all the same is skipped where it does.
"""
import errno
import os
import posix
import socket
import sys
import unittest

import _posixsubprocess


# The folder that this file is in, which -m would not put there.
del sys.path[0]


class Missing(unittest.SkipTest, OSError):
    """What a system call's failure is to a library, and a reason to skip to a test."""


def another_process(*args, **kwargs):
    raise Missing(errno.ENOSYS, "needs another process")


for name in "fork", "forkpty", "execv", "execve", "posix_spawn", "posix_spawnp", "system", "popen":
    for module in os, posix:
        if hasattr(module, name):
            setattr(module, name, another_process)
_posixsubprocess.fork_exec = another_process

create = socket.socket.__init__


def socket_init(self, family=-1, type=-1, proto=-1, fileno=None):
    """Make only sockets of a descriptor, as socketpair() does, and those that have no network in them."""
    if fileno is None and family != socket.AF_UNIX:
        raise Missing(errno.EPERM, "needs a network")
    create(self, family, type, proto, fileno)


def no_peer(self, *args):
    """Say that nobody is there to connect with, as a network would have it."""
    raise Missing(errno.EPERM, "needs another process")


socket.socket.__init__ = socket_init
for name in "bind", "connect", "connect_ex", "listen":
    setattr(socket.socket, name, no_peer)

import test.support  # noqa: E402, not before subprocess finds the above

test.support.has_fork_support = False
test.support.has_subprocess_support = False

from test.libregrtest import main  # noqa: E402

main()
