"""Executes a notebook from beginning to end; a cell that fails ends it. The notebook itself is not changed."""

import sys

import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
n_figures = sum("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))
assert n_figures == 9, f"{n_figures} figures were drawn"
n_cells = sum(cell.cell_type == "code" for cell in notebook.cells)
print(f"{n_cells} cells executed")
