"""What the alerts of a period were worth: read from the issues, turned into figures, and written for people."""
