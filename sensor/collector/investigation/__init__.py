"""What is known when an incident opens: the store and what is around it go in; one Investigation an incident comes out.

    playbooks.py    what to do about a rule, from docs/playbooks
    gather.py       from the store: the same entity's other alerts, and suggested containment
    places.py       where an address is, from tables in MaxMind's format
    recent.py       the newest transactions, from sensors that publish them
    ask.py          a program of one's own: threat intelligence, an inventory
    investigate.py  the duty that brings them together
"""
