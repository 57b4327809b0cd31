"""Stories of an on-call week, hour by hour: what the data, people and services do, and what must reach whom."""
