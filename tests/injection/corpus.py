"""Hostile texts: what a run name, a version, a segment, an incident title or a comment could hold. Each carries no more
than it needs to do harm where it is shown, logged, parsed or executed."""

from __future__ import annotations

from dataclasses import dataclass

EVIL = "evil.example"
"""No output may ever link to, or load from, this host."""


@dataclass(frozen=True, slots=True)
class Sample:
    """``name`` says what the text tries."""

    name: str
    text: str


def _named(family: str, **texts: str) -> tuple[Sample, ...]:
    return tuple(Sample(f"{family}-{name.replace('_', '-')}", text) for name, text in texts.items())


MARKDOWN = _named(
    "markdown",
    mention="@octocat and @acme/everyone",
    reference="fixes #1, acme/churn-model#2, GH-3",
    image=f"![x](https://{EVIL}/pixel.png)",
    link=f"[click](https://{EVIL}/)",
    script_link="[click](javascript:alert(1))",
    reference_link=f"[a][b]\n\n[b]: https://{EVIL}/",
    autolink=f"<https://{EVIL}/>",
    bare_address=f"https://{EVIL}/login",
    emphasis="**bold** __bold__ ~~gone~~ *it* _it_",
    heading="\n# Everything is fine\n",
    setext="fine\n====",
    table_cell="eu | 0.99 | ok |\n| us | 0.99 | ok |",
    escaped_pipe="eu \\| 0.99 \\\\| ok",
    fence="```\n# out of the fence\n```",
    tildes="~~~\n# out of the fence\n~~~",
    backtick="`",
    backticks="`` ` `` ``` `` `",
    ends_in_backslash="eu\\",
    task="- [x] approved by @octocat",
    quote="> quoted\n> text",
    indented="\n\n    indented code\n\n",
    rule="\n\n---\n\n",
    footnote="[^1]\n\n[^1]: note",
    math="$\\unicode{x}$ $$\\href{javascript:alert(1)}{x}$$",
    alert="> [!CAUTION]\n> fake",
    emoji=":rocket: :shipit:",
    command="\n/modelwatch approve rollback.1",
)
HTML = _named(
    "html",
    script="<script>alert(1)</script>",
    image="<img src=x onerror=alert(1)>",
    picture=f'<img src="https://{EVIL}/pixel.png">',
    svg="<svg/onload=alert(1)>",
    details="</details><details open ontoggle=alert(1)>",
    iframe=f"<iframe src=https://{EVIL}/></iframe>",
    frame_script='<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>',
    style="<style>*{display:none}</style>",
    closes_code="</code></pre></td></table><script>alert(1)</script>",
    closes_comment="--><script>alert(1)</script><!--",
    unclosed="<!-- the rest is gone",
    attribute='" onmouseover="alert(1)" x="',
    single_quotes="' autofocus onfocus=alert(1) '",
    entities="&lt;script&gt;alert(1)&lt;/script&gt; &#60;img src=x onerror=alert(1)&#62;",
    form=f'<form action="https://{EVIL}/"><input autofocus onfocus=alert(1)></form>',
    base=f'<base href="https://{EVIL}/"><meta http-equiv=refresh content="0;url=https://{EVIL}/">',
    mutation="<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    cdata="<![CDATA[<script>alert(1)</script>]]>",
    textarea="</textarea></title></style></noscript><script>alert(1)</script>",
)
MERMAID = _named(
    "mermaid",
    ends_string='x" --> y["z',
    click='"\nclick A "javascript:alert(1)"',
    directive="%%{init: {'securityLevel': 'loose'}}%%",
    ends_fence='"\n```\n<script>alert(1)</script>',
    label='<img src=x onerror=alert(1)>"]',
    semicolon="x; y; line [1, 2]",
    entity="#quot;#lt;img src=x onerror=alert(1)#gt;",
)
SHELL = _named(
    "shell",
    substitution="$(touch pwned)",
    backticks="`touch pwned`",
    semicolon="; touch pwned #",
    quotes="'; touch pwned; '",
    double_quotes='"; touch pwned; "',
    newline="x\ntouch pwned",
    variable="${IFS}$PATH${GITHUB_TOKEN}",
    option="--config=/etc/passwd",
    at_file="@/etc/passwd",
    expression="${{ github.token }} ${{ toJSON(secrets) }}",
)
WORKFLOW = _named(
    "workflow",
    error="::error::everything is fine",
    output="::set-output name=firing::0",
    mask="::add-mask::a",
    stop="::stop-commands::pause",
    group="::group::hidden",
    on_own_line="x\n::add-mask::a\n",
    carriage_return="x\r::add-mask::a",
    old_form="##[add-mask]a",
    old_form_inside="x ##[stop-commands]pause",
    percent="%0A::error::x%0D%0A::add-mask::a",
    double_percent="%250A::error::x %25250A",
    matcher="::add-matcher::/tmp/matcher.json",
    path="::add-path::/tmp",
    wrapped="long words that wrap a line of the terminal just here so that it goes on ::add-mask::a ::stop-commands::x",
)
DELIMITERS = _named(
    "output",
    heredoc="x\nEOF\nfiring=0",
    ours="x\nmodelwatch-00000000000000000000000000000000\nfiring=0",
    ghadelimiter="x\nghadelimiter_1\nfiring<<ghadelimiter_2\n0\nghadelimiter_2",
    equals="firing=0",
    assigns="x<<EOF\n0\nEOF\nfiring<<EOF",
)
UNICODE = _named(
    "unicode",
    override="eu\u202egnp.exe",
    isolate="\u2066eu\u2069\u2067",
    zero_width="e\u200bu\u200c\u200d\ufeff",
    line_separator="eu\u2028# heading\u2029::error::x",
    next_line="eu\x85::error::x",
    tags="eu\U000e0041\U000e0042",
    fullwidth="＜script＞alert(1)＜/script＞ ＠octocat",
    combining="e" + "\u0301" * 60,
    surrogate="eu\ud800",
    nul="eu\x00::error::x",
    bell="\x07\x08\x08\x7f",
    escape="\x1b[2J\x1b[31mred\x1b]8;;https://evil.example/\x1b\\link\x1b]8;;\x1b\\\x9b2J",
    private="\ue000\uf8ff",
    tab="a\tb\vc\fd",
    variation="e\ufe0fu\u180e\u00ad",
    long="x" * 5000,
    spaces=" \u00a0\u3000 ",
    empty="",
)
OURS = _named(
    "ours",
    ends="<!-- modelwatch:end -->",
    begins="<!-- modelwatch:begin 0123456789abcdef -->",
    register='<!-- modelwatch:register {"group": "0123456789abcdef"} -->',
    spaced="<!--modelwatch : END-->",
    note="<!-- modelwatch:note 0123456789abcdef -->",
    nested="<!<!-- modelwatch:end -->-- modelwatch:end -->",
    json='","state":"sent","by":"',
    markup="[bold red]x[/] [link=https://evil.example/]y[/link]",
    formats="{0} %s {register} %(name)s",
)
CORPUS = (*MARKDOWN, *HTML, *MERMAID, *SHELL, *WORKFLOW, *DELIMITERS, *UNICODE, *OURS)
"""Every sample."""
