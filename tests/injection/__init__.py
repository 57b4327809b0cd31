"""Hostile text from every source to every place where it is shown.

=================== ============================================================= ==========================
from                to issue, comments, page, summary, log, outputs               to HTML
=================== ============================================================= ==========================
W&B                 test_reports (each renderer), cli/test_injection (an           test_browser
                    evaluation)
comments            cli/test_injection (an evaluation), test_parsers              test_browser (as notes)
incidents, people   test_reports, cli/test_injection (titles)                     test_browser
webhooks            relay/test_hostile (to GitHub, log, answer, metrics)          none is made of them
dispatches          cli/test_injection (every field), e2e/test_on_pagerduty       none is made of them
errors of services  cli/test_injection                                            test_browser (as details)
names at PagerDuty  test_reports (plan)                                           none is made of them
=================== ============================================================= ==========================
"""
