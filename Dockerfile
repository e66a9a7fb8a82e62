# Astro Runtime for Airflow 3.3. Its ONBUILD steps install packages.txt and requirements.txt and copy the project.
FROM astrocrpublic.azurecr.io/runtime:3.3-8
