"""The explorer without its widgets: the choice, what it looks like, and the queue of jobs.

A choice comes in; scenes, jobs and finished results come out.
"""

__all__ = ["choice", "finished", "jobs", "queue", "scenes"]
