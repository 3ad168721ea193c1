"""Every bad input, in the order of the table."""

from tests.hostile import (
    archives,
    corpora,
    data_files,
    dirty,
    environments,
    layouts,
    parquet,
    recipes,
    rows,
    run_folders,
    weights,
)

CASES = [
    *recipes.CASES,
    *data_files.CASES,
    *rows.CASES,
    *parquet.CASES,
    *layouts.CASES,
    *archives.CASES,
    *corpora.CASES,
    *dirty.CASES,
    *weights.CASES,
    *run_folders.CASES,
    *environments.CASES,
]
