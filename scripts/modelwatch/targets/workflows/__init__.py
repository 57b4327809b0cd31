"""The workflow runs of a group: which are dispatched or proposed, under which guards, and how."""
