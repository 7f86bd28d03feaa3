"""Reports of a run, each made from its record alone."""
