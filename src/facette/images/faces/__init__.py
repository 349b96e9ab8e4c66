"""Faces in photos: found, brought into a frame, put back."""
