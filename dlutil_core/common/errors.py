"""The one kind of exception whose text is meant for the user."""


class UserError(Exception):
    """A wrong input or environment, told in one sentence.

    The text names the file, the record or key, the value, and what to do. Scripts print it without
    a traceback and end with exit code 1.
    """
