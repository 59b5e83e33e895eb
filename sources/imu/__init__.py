"""Inertial sensors: Linux IIO and serial lines. Import from the modules."""
