"""What detectors share that look at names asked of DNS."""
