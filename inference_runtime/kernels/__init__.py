"""One operation per file: the kernel, the launcher that holds its assertions, and its plain twin in torch."""
