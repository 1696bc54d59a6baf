"""Runs docs/first_steps.ipynb in place, so that it shows what it computes: `python scripts/run_notebook.py`."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

PATH = Path(__file__).parents[1] / "docs" / "first_steps.ipynb"

notebook = nbformat.read(PATH, nbformat.NO_CONVERT)
resources = {"metadata": {"path": str(PATH.parent)}}
NotebookClient(notebook, timeout=600, resources=resources, record_timing=False).execute()
notebook.metadata = {"kernelspec": notebook.metadata.kernelspec, "language_info": {"name": "python"}}
nbformat.write(notebook, PATH)
print(PATH)
