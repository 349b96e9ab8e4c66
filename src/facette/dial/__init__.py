"""How far relatives go from a photo, in terms of what changes to the eye: searched, measured, kept in the model."""
