"""A server that misbehaves on purpose, the list of its faults, and what each must come to."""
