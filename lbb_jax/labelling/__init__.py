"""Ask and tell: a labelling project on disk.

>>> import tempfile
>>> from lbb_jax import labelling
>>> project = labelling.create(tempfile.mkdtemp(), ids=["img_1", "img_2", "img_3"], classes=["cat", "dog"])
>>> project.tell({"img_1": "cat", "img_3": None})
Told(new=2, corrected={}, unchanged=0)
>>> project.status().left
1

`Project.ask` picks the points to label next from a model's predictions. The command ``lbb-jax`` does the same.
"""

from lbb_jax.extras import needs

with needs("labelling"):
    from lbb_jax.labelling.errors import LabellingError
    from lbb_jax.labelling.project import Batch, Project, Told, create, open
    from lbb_jax.labelling.status import Accuracy, Status

__all__ = ["Accuracy", "Batch", "LabellingError", "Project", "Status", "Told", "create", "open"]
