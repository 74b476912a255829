"""Errors that speak for themselves."""

from __future__ import annotations


class Failure(Exception):
    """An error whose text alone tells the user what is wrong and what to do.

    The command line prints it as it is, without a stack trace, and ends with `exit_code`.
    """

    exit_code = 1


class Fenced(Failure):
    """Another owner has taken over what we write to: stop, and write and publish nothing more.

    A checkpoint, the online store and the broker (for suggestions) each refuse a former owner's write with it.
    """
