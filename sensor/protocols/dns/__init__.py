"""DNS (RFC 1035): questions and their answers, over UDP and TCP."""
