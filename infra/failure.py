"""Errors that speak for themselves."""

from __future__ import annotations


class Failure(Exception):
    """An error whose text alone tells the user what is wrong and what to do.

    The command line prints it as it is, without a stack trace, and ends with `exit_code`.
    """

    exit_code = 1
