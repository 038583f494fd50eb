"""The command line: what may be typed, what each command does, and what is said of trouble.

Words come in; an exit status comes out.
"""

from .program import main

__all__ = ["main"]
