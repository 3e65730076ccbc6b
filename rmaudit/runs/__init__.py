"""The run folder: manifest, append-only scores, resume, atomic writes."""
