"""Texts for people: issue, incident, job summary and terminal, all from the same facts."""
