"""The tasks for demos and measurements, each with its data, network and settings.

>>> from tpsgd_host.tasks import load_task
>>> task = load_task("gesture")
"""

from tpsgd_host.tasks.export import write_csv
from tpsgd_host.tasks.task import NAMES, Task, load_task

__all__ = ["NAMES", "Task", "load_task", "write_csv"]
