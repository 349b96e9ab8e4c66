"""Work for tests of processes of their own: each function does one thing that such work may do."""

import os
import time

from facette.errors import UsageError


def doubled(order, tell):
    tell("doubling", 0.5)
    return 2 * order, os.getpid()


def mistaken(order, tell):
    raise UsageError(f"{order} cannot be used.")


def broken(order, tell):
    return 1 / order


def gone(order, tell):
    os._exit(order)


def endless(order, tell):
    tell("at it")
    time.sleep(order)
