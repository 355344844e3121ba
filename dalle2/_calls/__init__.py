"""What a call means: its plan, its envelope, what each answer to it says, and the attempts it takes.

Everything here is decided without I/O, except for the two loops of `_loop`.
"""
