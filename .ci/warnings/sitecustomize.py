"""Warnings that the package's own files raise are errors, where PYTHONPATH has this folder.

`.ci/run` puts it there while the notebooks' tests run, for every process that they start. Python
itself (-W, PYTHONWARNINGS) takes one module's exact name; a filter takes a pattern. A warning
belongs to the file that its `stacklevel` points to: what torch says of a call in infoae/ counts,
what infoae says to its caller (`stacklevel=2`) does not.
"""
import warnings

warnings.filterwarnings("error", module=r"infoae(\.|$)")
