"""Golden cases: a configuration and a table in; the plan, and everything that a person reads, out.

``python -m tests.cases --update`` writes plan.json and report.md anew; ``--make`` the tables. Read the difference
before you commit it.
"""
