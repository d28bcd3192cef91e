"""TLS: what a connection says of itself before it is encrypted."""
