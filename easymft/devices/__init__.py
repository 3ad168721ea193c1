"""Devices: strategies, precision, start-up, and being asked to stop."""
