"""Makes the reports of a run: text, HTML page, JUnit XML, and a comparison with an older run."""
