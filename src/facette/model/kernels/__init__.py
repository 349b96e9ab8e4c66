"""The same networks computed sooner on CPUs."""
