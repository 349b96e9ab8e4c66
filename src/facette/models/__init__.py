"""The models that come with the package, a folder each: `model.safetensors`, its header to read, its card."""

DEFAULT_MODEL = "faces128"  # of every command, of the studio, and of what is compared
