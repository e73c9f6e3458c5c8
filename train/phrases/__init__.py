"""Phrases: four seconds of melody with their rhythm, learned as contours over time and played by one key."""
