"""The world: terminals, cards, back office and network in one deterministic simulation of faults.

`life.live(seed)` is one world from its beginning to its end; `runner` lets many live. Adding
something that happens is one file in `acts/` and one line there; adding an invariant is one file in
`checks/` and one line there. docs/simulation.md says what is covered and how to replay.
"""
