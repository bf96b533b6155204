"""A service: its modules and a table are loaded, it says "ready", and then answers its arguments, which are JSON requests.

Without any, it answers each line of standard input. Frozen at its checkpoint, each copy begins with all of it loaded.
"""
import ctypes
import decimal
import json
import os
import re
import sqlite3
import ssl
import sys

prices = sqlite3.connect(":memory:")
prices.execute("create table prices (name text primary key, price text)")
prices.executemany("insert into prices values (?, ?)", [("pear", "0.10"), ("plum", "1.05"), ("quince", "2.345")])
order = re.compile(r"(?P<count>\d+) (?P<name>\w+)")
# From here on OpenSSL's generator has a state of its own, which a copy must not repeat.
ssl.RAND_bytes(16)


def total(orders):
    """Say what orders such as "3 pear" cost."""
    cost = decimal.Decimal(0)
    for each in orders:
        match = order.fullmatch(each)
        if not match:
            raise ValueError(f"{each!r} is no order")
        price = prices.execute("select price from prices where name = ?", (match["name"],)).fetchone()
        if not price:
            raise ValueError(f"no price of {match['name']!r}")
        cost += int(match["count"]) * decimal.Decimal(price[0])
    return {"total": str(cost)}


def random(size):
    """Give bytes of the kernel's and of OpenSSL's generator."""
    return {"kernel": os.urandom(size).hex(), "openssl": ssl.RAND_bytes(size).hex()}


def answer(request):
    """Answer one request; what is wrong with it is an answer, too."""
    try:
        return total(request["orders"]) if "orders" in request else random(request["random"])
    except (KeyError, TypeError, ValueError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def checkpoint(arguments):
    """Be frozen here, and give the arguments of each copy: nub_checkpoint.h, NUB_CHECKPOINT_WITH_ARGUMENTS."""
    if ctypes.CDLL(None).prctl(0x4E756272, 1, 1, 0, 0) != 1:
        return arguments
    with open("/proc/self/cmdline", encoding="utf-8") as file:
        return file.read().split("\0")[1:-1]


print("ready", flush=True)
for line in checkpoint(sys.argv[1:]) or sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
