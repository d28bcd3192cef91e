"""Threat intelligence: feeds go in; a matcher comes out that says which of them know an address, name or fingerprint.

    indicator.py  one entry: its kind, value, confidence and end
    formats.py    bytes of a feed into indicators: text and CSV here, MISP and STIX in misp.py and stix.py
    networks.py   a million networks asked at the speed of columns
    compiled.py   a feed as it lies on disk for sensors
    matcher.py    all feeds of a folder, to be asked by detectors and by searches of what is stored
    fetch.py, trust.py, update.py   what `tapir feeds update` does
"""
