"""What a Stinger blaster is, seen from the host: samples, recordings, shots, wire protocol, MLMD model file.

Pure: bytes and arrays in, values out. Importing this package loads nothing heavy; its modules are imported by name.
"""
