"""The code of the package: Python behind the DAGs, and SQL."""
