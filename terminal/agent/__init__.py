"""The agent: the card for other programs on this machine, over HTTP and WebSocket on loopback.

One thread owns a card (`card_thread`), a lease frees it when its caller is gone (`sessions`), and
nobody gets anything without an allowed host, an allowed origin and a token (`guard`).
"""
