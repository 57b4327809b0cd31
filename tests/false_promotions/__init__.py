"""How often the gate promotes a candidate that is no better, and one that is: ``make false-promotions``."""
