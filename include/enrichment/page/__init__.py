"""What the page in the Airflow UI and its API read: one template per question, rows turned into typed answers.

Nothing here knows FastAPI or the web; ``plugins/enrichment_view`` does.
"""
