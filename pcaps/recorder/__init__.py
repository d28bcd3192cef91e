"""What pcaps/record.py is made of: a small network, the servers in it, and one function per capture."""
