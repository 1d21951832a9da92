"""Make the exercises from their solutions: without the cells tagged "solution" or "hint", and without outputs.

    make exercises

An exercise in which somebody has worked is left as it is.
"""

if __name__ == "__main__":
    import stopping  # noqa: F401

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path

import nbformat
from nbconvert.preprocessors import ClearOutputPreprocessor, TagRemovePreprocessor
from nbformat import NotebookNode

EXERCISES = Path(__file__).parent.parent / "exercises"


def made_from(solution: Path) -> NotebookNode:
    """Return the exercise that belongs to a solution."""
    notebook = nbformat.read(solution, as_version=4)
    for preprocessor in (TagRemovePreprocessor(remove_cell_tags={"solution", "hint"}), ClearOutputPreprocessor()):
        notebook, _ = preprocessor.preprocess(notebook, {})
    for cell in notebook.cells:
        cell.source = cell.source.replace("](../../", "](../")  # an exercise lies one folder higher
    return notebook


def fingerprint(notebook: NotebookNode) -> str:
    """Return a hash of what stands in the cells, outputs and the line ends of Windows left out."""
    cells = [(cell.cell_type, cell.source.replace("\r\n", "\n")) for cell in notebook.cells]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def worked_in(path: Path) -> bool:
    """Has somebody changed the cells of an exercise since it was made?"""
    notebook = nbformat.read(path, as_version=4)
    return notebook.metadata.get("exercise", {}).get("fingerprint") != fingerprint(notebook)


def keep_unless_worked_in(notebook: NotebookNode, path: Path) -> bool:
    """Write a notebook that is made, unless somebody has worked in the one that is there; tell whether it was."""
    if path.exists() and worked_in(path):
        return False
    notebook.metadata["exercise"] = {"fingerprint": fingerprint(notebook)}
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")  # `course_utils.notebook.replacing` would import TensorFlow
    new.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")
    os.replace(new, path)
    return True


def main(folder: Path = EXERCISES) -> list[str]:
    """Make all exercises anew, and return the names of those that were left as they are."""
    solutions = sorted((folder / "solutions").glob("*.ipynb"))
    return [path.name for path in solutions if not keep_unless_worked_in(made_from(path), folder / path.name)]


if __name__ == "__main__":
    argparse.ArgumentParser(description="Make the exercises from their solutions.").parse_args()
    names = main()
    if names:
        sys.exit(
            f"Somebody has worked in {', '.join(names)}: left as is. Move it away and call 'make exercises' again."
        )
