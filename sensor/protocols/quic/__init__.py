"""QUIC: what the first packets of a connection say in clear."""
