"""The embedded Snowflake: a development default, never imported by the product.

``python -m local.server`` serves it; ``docs/embedded-snowflake.md`` says where it differs from Snowflake.
"""
