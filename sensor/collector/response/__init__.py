"""Automated response: stored alerts go in; actions that end by themselves come out, each in the audit trail.

    choose.py   which alerts ask for what, about whom, and who is never touched
    act.py      doing and undoing what was asked for
    commands.py what is run for it
"""
