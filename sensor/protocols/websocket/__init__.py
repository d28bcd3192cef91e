"""WebSocket (RFC 6455): frames behind an upgrade."""
