"""The command line: its options, what each command does, and how errors are reported.

Arguments come in; an exit status comes out.
"""

from .program import main

__all__ = ["main"]
