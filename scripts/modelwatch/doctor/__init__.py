"""``modelwatch doctor``: everything between a configuration and its first alert, checked one by one."""
