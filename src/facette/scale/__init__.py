"""One model over a whole collection of pictures, however many: in shards, resumable, on one machine or on a cluster.

Enters: a model, a collection, a task (encode, vary, evaluate) and a folder that every worker sees. Leaves: for each
shard of the collection its files and an account, each there once whatever was killed on the way.
"""

from facette.scale.run import Outcome, run_job
from facette.scale.tasks import Encode, Evaluate, Task, Vary

__all__ = ["Encode", "Evaluate", "Outcome", "Task", "Vary", "run_job"]
