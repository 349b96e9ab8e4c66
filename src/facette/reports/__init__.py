"""Results as pages: what the command line saves and the studio shows is put together here, once."""
