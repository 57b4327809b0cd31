"""Where modelwatch acts: GitHub issues, PagerDuty incidents and workflow runs; each is observed, planned and applied.

What planning relies on when a plan is applied:

* An issue change writes body and state in **one** request, and posts its notes *before* it: a note that is already
  there (by its key) is not posted again, so a crash in between repeats nothing and loses nothing.
* A page or dispatch change that succeeded is written into the register at once (``Register.page``; the
  ``DispatchRecord`` from INTENDED to SENT). ``Change.register`` of the issue change never claims such a success, but an
  issue change applied after a success must keep it.
* A dispatch is sent only if the issue change before it in the same group succeeded or none was needed: the intent
  has to stand in the register first.
* Page and dispatch changes name the issue of their group in ``expect.issue`` where there is one; without a body digest,
  since the issue change before them has altered the body.
"""
