"""Settlement channels: in which language a terminal settles with the insurance centre.

A channel is one file behind the protocol of `channel.py` and one line in `KINDS`. The settings
choose one; an operation that was begun over a channel is always ended over the same.
"""
