"""The forms of a report: for a terminal, JSON, JUnit XML, and one HTML page."""
