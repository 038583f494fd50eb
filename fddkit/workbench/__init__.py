"""The explorer without its widgets: what was chosen, what it looks like, what is in the queue.

A choice comes in; scenes, jobs and finished results come out.
"""

__all__ = ["choice", "finished", "jobs", "queue", "scenes"]
