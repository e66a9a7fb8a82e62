"""The Python behind the DAGs: importable and testable without a running Airflow."""
