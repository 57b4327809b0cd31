"""Messages to chat and mail: what changed on the issue, in three lines, to wherever apprise reaches."""
