"""The tasks that tpsgd demonstrates itself on and is measured by: data, network and settings of each.

>>> from tpsgd_host.tasks import load_task
>>> task = load_task("gesture")
"""

from tpsgd_host.tasks.export import write_csv
from tpsgd_host.tasks.task import NAMES, Task, load_task

__all__ = ["NAMES", "Task", "load_task", "write_csv"]
