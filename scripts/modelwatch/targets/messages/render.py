"""The text of a message: a title, one sentence, and the issue's address."""

from __future__ import annotations

from ...model.plan import Note
from ...model.register import Register
from ...report.comments import comment_text, issue_title
from ...report.drill import mark_drill
from ...report.markdown import plain_line
from ..base import GroupRun

MAX_SENTENCE = 500


def message_text(run: GroupRun, note: Note, register: Register) -> tuple[str, str]:
    """(title, body) without secrets; plain text that pings nobody, whatever a name in it looks like."""
    title = issue_title(run.group, register) if run.group else f"{register.model}: {register.rule}"
    model = run.model(register.model)
    comment = comment_text(note, run.group, register, run.now, model)
    sentence = plain_line(comment.partition("\n\n")[0].replace("**", "").replace("`", ""), MAX_SENTENCE)
    body = "\n".join(filter(None, (_defuse(run.redact(sentence)), run.issue_url)))
    return _defuse(run.redact(mark_drill(title, model))), body


def _defuse(text: str) -> str:
    """Without what chats take for mentions and links: ``@channel``, ``<!here>``, ``[text](address)``."""
    return text.replace("@", "@\u2060").replace("<", "‹").replace(">", "›").replace("](", "] (")
