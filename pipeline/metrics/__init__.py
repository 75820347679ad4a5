"""The pipeline in the text form that Prometheus reads; nothing here loads a model or a table."""
