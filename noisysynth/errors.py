"""The one exception a user is meant to read: what is wrong and what to do, in one line."""


class UserError(Exception):
    """Bad input or a missing device. Commands print its text and end with exit code 2."""
