"""Files that hold models. The native format is known in native.py alone."""
