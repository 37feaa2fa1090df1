"""The touch-screen face of the terminal: a web page on this machine, driven by one thread.

The session thread (`kiosk.py`) owns the reader and drives the flows. It shows a screen by putting
it on the `Stage`, and waits for what happens next at the `Inbox`. The web side (`web.py`) renders
what is on the stage, pushes it to the page, and puts what is pressed into the inbox. Neither ever
calls the other.
"""
