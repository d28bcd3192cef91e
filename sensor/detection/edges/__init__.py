"""Who may call what: allowed edges and roles as a file has them (allowed.py), and as traffic shows them (learn.py)."""
