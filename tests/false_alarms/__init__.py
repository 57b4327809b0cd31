"""How often each default alarms where nothing changed, and how often where something did: ``make false-alarms``."""
