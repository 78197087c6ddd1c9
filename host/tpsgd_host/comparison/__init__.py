"""Compare integer tpSGD with backprop and its rivals on a user's data: equally tuned and trained, tested once.

>>> from tpsgd_host.comparison import compare, task_problem
>>> comparison = compare(task_problem("gesture"), methods=("int-tpsgd", "int-frozen"))
"""

from tpsgd_host.comparison.cross_validation import cross_validate, fold_problems
from tpsgd_host.comparison.floats import FloatMethod
from tpsgd_host.comparison.methods import METHOD_NAMES
from tpsgd_host.comparison.networks import compare_networks
from tpsgd_host.comparison.problem import Problem, file_problem, task_problem
from tpsgd_host.comparison.results import Comparison
from tpsgd_host.comparison.study import compare

__all__ = [
    "METHOD_NAMES",
    "Comparison",
    "FloatMethod",
    "Problem",
    "compare",
    "compare_networks",
    "cross_validate",
    "file_problem",
    "fold_problems",
    "task_problem",
]
