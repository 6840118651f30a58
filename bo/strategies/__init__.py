"""Strategies: what proposes the next candidates, one file each, all behind one protocol."""
