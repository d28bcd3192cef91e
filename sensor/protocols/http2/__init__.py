"""HTTP/2 in clear (RFC 9113): frames, header compression, streams as transactions."""
