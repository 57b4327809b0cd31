"""What is said on the issue about something that happened at PagerDuty."""

from __future__ import annotations

from ..model.incoming import PagerDutyPerson
from .escape import code, mention


def person_text(person: PagerDutyPerson, agent: str) -> str:
    """``@ada`` where the login is known, else the id at PagerDuty."""
    return mention(f"@{person.login}") if person.login else f"PagerDuty user {code(agent or 'unknown')}"


def acknowledgement_note(person: PagerDutyPerson, agent: str, assigned: bool) -> str:
    """Empty where the assignment says it all."""
    if assigned:
        return ""
    said = f"{person_text(person, agent)} acknowledged the incident at PagerDuty."
    if person.login:
        return f"{said} GitHub does not let this issue be assigned to them: do they have access to the repository?"
    return f"{said} The issue is not assigned: {code(person.unknown_reason, 300)}."


def resolution_question(person: PagerDutyPerson, agent: str) -> str:
    return (
        f"{person_text(person, agent)} resolved the incident at PagerDuty by hand. **Why?** Please answer here in a "
        "sentence:"
        " what was found, and what was done.\n\nThe model was evaluated anew; while the alert fires, this issue"
        " stays open and PagerDuty is told again after four hours, or at once when it gets worse. If it was a false"
        " positive, comment `/modelwatch false-positive`."
    )
