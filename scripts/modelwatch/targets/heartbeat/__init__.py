"""The heartbeat: a call to a monitor outside, which is the delivery of the watchdog."""
