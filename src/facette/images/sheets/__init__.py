"""Contact sheets, films and their files."""
