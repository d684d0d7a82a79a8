"""stdin, stdout, stderr and files."""
