"""From a blaster to the host and back: its log fetched, models made of it, models brought to the blaster.

Plain blocking reads, each of a tenth of a second at most: what runs here is one client with one blaster.
"""
