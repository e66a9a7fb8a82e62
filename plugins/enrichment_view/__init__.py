"""The page "Enrichment" and its API: a FastAPI application that reads through ``include/enrichment/page``."""
