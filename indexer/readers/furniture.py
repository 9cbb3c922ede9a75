"""What stands around an article in a plain-text dump of its page and has no business in an index.

The rules look at one line at a time and match the whole of it, so that prose is never cut inside. HTML pages do without
them: trafilatura sees the markup, and the rules took more of the article than of what it had left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from itertools import pairwise
from typing import NamedTuple

__all__ = ["RULES", "Effect", "Rule", "find_rule", "is_prose", "without_furniture"]


class Effect(Enum):
    """What a rule does: drop the line, with the lines right under it, with the headline under it, or with all below."""

    LINE = "line"
    BLOCK = "block"
    TEASER = "teaser"
    REST = "rest"


class Rule(NamedTuple):
    """A kind of furniture: its name, its effect, and the pattern that a whole line must match."""

    name: str
    effect: Effect
    pattern: re.Pattern[str]


def _rule(name: str, effect: Effect, *patterns: str) -> Rule:
    return Rule(name, effect, re.compile(rf"(?:{'|'.join(patterns)})[\s:›»→…\d]*", re.I))


_STORY = r"(?:stor(?:y|ies)|articles?|news|posts?|content|coverage|reading|topics?|headlines)"
_NETWORK = (
    r"(?:facebook|twitter|x|whatsapp|telegram|linkedin|reddit|pinterest|bluesky|threads|mastodon|messenger|viber|vk)"
)
_PICTURE = (
    r"(?:(?:file |stock |archive |cover |lead )?"
    r"(?:image|photo|photograph|picture|illustration|graphic|screenshot|still))"
)
_CHANNEL = r"(?:telegram|whatsapp|twitter|facebook|instagram|x|channel|google news)"
_POST = r"(?:newsletters?|inbox|e-?mails?|briefing|alerts?|digest)"

RULES = (
    _rule(
        "related",
        Effect.REST,
        rf"(?:related|similar|more|other|further|recommended|suggested|connected) {_STORY}",
        rf"(?:related|more|recommended) {_STORY} (?:for you|on this(?: topic)?)",
        r"more (?:on|about|from) (?:this|the)\b.{0,40}",
        r"more from [^.]{1,40}",
        "related",
        r"you (?:may|might)(?: also)? (?:like|enjoy|be interested in).{0,20}",
        "(?:what to )?read next",
        "up next",
        "recommended(?: for you)?",
        "don't miss",
        "keep reading",
        "in other news",
        "see also on this site",
    ),
    _rule(
        "popular",
        Effect.REST,
        rf"(?:the )?(?:most|top) (?:popular|read|viewed|shared|commented|watched|recent)"
        rf"(?: {_STORY})?(?: (?:this|today|of the) ?\w*)?",
        rf"(?:trending|(?:top|latest|popular) {_STORY})(?: now)?",
        "what's trending",
    ),
    _rule("editors' picks", Effect.REST, r"(?:the )?editor'?s?'? (?:picks?|choice|selection)", "must[- ]reads?"),
    _rule(
        "comments",
        Effect.REST,
        r"(?:\d[\d,.]* |no |view |show |leave (?:a |your )?|add (?:a |your )?|post (?:a |your )?)?"
        r"comments?(?: \(?\d+\)?)?(?: are closed.{0,30})?",
        r"join the (?:discussion|conversation|debate)",
        r"leave a reply",
        r"(?:log|sign) in to (?:comment|join the discussion)\.?",
    ),
    _rule(
        "footer",
        Effect.REST,
        r"(?:copyright\W{0,3})?(?:©|\(c\)|(?<=copyright )(?:19|20)\d\d).{0,120}",
        r".{0,80}all rights reserved\b.{0,80}",
        r"back to top",
        r"site ?map",
    ),
    _rule(
        "navigation",
        Effect.LINE,
        r"skip to (?:the )?(?:main )?(?:content|navigation)",
        "menu|navigation|toggle navigation|open menu|close(?: menu)?",
        "search",
        "sign in|log ?in|register|sign up|my account|subscribe|subscribe now|donate|home(?:page)?",
        r"about(?: us)?|contact(?: us)?|advertise(?: with us)?|careers|terms(?: of (?:use|service))?|imprint|rss",
        r"privacy(?: policy)?|cookie (?:policy|settings|preferences)|(?:next|previous) (?:article|story|post)",
    ),
    _rule("logo", Effect.LINE, r"(?:[\w.'&-]+ ){0,5}logo", "avatar", "author(?:'s)? (?:image|photo|avatar)"),
    _rule(
        "picture",
        Effect.LINE,
        rf"{_PICTURE}s? (?:via|by|courtesy of|credits?|taken by)\b(?:\s*:)?(?: \S+){{1,10}}",
        rf"(?:{_PICTURE}s?|captions?|credits?|pictured|video)(?: credits?)?\s*[:/©].{{1,400}}",
        rf".{{0,300}}[.!?)'\"] ?\(?{_PICTURE}s?(?: credit)?: ?[^.]{{1,80}}\.?\)?",
        r".{0,300}[(/ ](?:getty images|afp|reuters|ap photo|epa|shutterstock|unsplash)\)\.?",
        r"(?:ap photo|reuters|afp)/.{1,60}",
        r"view (?:image|photo|gallery).{0,40}",
        r"(?:click|tap) to (?:enlarge|play|view).{0,30}",
        r"\[?image\]?",
    ),
    _rule(
        "share bar",
        Effect.LINE,
        rf"share(?: (?:this(?: {_STORY}| page)?|on|via|to|with)(?: {_NETWORK}| email)?)?",
        rf"(?:(?:share|tweet|{_NETWORK}|copy(?: the)? link|e-?mail|print|save|bookmark|more|link copied!?|pin it)"
        r"[\s|,/·•-]*){2,}",
        rf"(?:share|tweet|post|send|follow us) (?:on|via|by|to) (?:{_NETWORK}|e-?mail|google news|instagram|youtube)",
        r"facebook|twitter|whatsapp|telegram|linkedin|reddit|pinterest|bluesky|tweet",
        r"copy(?: the)? link|(?:link )?copied!?",
        r"\d[\d.,]*k? shares?",
    ),
    _rule(
        "advertisement",
        Effect.LINE,
        r"[-–—*]*\s*(?:advertisements?|advert|ads?|promoted|paid (?:content|post))\s*[-–—*]*",
        r"sponsored(?: content| by .{1,40})?",
        r"(?:story|article|text) continues (?:below|after)\b.{0,40}",
        r"(?:scroll|continue) (?:down )?to (?:continue|read).{0,30}",
        r"continue reading(?: below)?",
        r"remove ads?",
    ),
    _rule(
        "newsletter",
        Effect.BLOCK,
        rf"(?:sign up|subscribe|register)\b.{{0,80}}\b(?:{_POST}|channel|updates)\b.{{0,60}}",
        rf"(?:get|receive)\b.{{0,80}}\b{_POST}\b.{{0,60}}",
        r"(?:our |daily |weekly )?newsletters?",
        rf"(?:join|follow) (?:us|our|.{{1,40}}'s)\b.{{0,60}}\b{_CHANNEL}\b.{{0,30}}",
        r"(?:your |enter (?:your )?)?e-?mail(?: address)?",
        r"thank you for subscribing.{0,40}",
        r"(?:support|back) (?:our|independent) (?:journalism|reporting|work|newsroom|media).{0,60}",
        r"become a (?:member|subscriber|supporter).{0,40}",
    ),
    _rule(
        "teaser",
        Effect.TEASER,
        r"(?:read|see|watch|listen)(?: also| more| next| further)?",
        rf"also read|(?:read|see) related|read the full {_STORY}|in case you missed it",
    ),
    _rule(
        "teaser with its headline",
        Effect.LINE,
        r"(?:(?:read|see|watch) (?:also|more|next)|also read|more on this|related|recommended|don't miss)"
        r"\s*[:|»>–—-]\s*.{1,200}",
        r"read more (?:on|about|from|at|in) .{1,120}",
        r"\[more\](?:\.\.\.)?",
    ),
    _rule(
        "cookie note",
        Effect.LINE,
        r".{0,80}\b(?:we|site|website|page) uses? (?:\w+ ){0,3}cookies\b.{0,240}",
        r"by (?:using|continuing|browsing|reading).{0,60}\bcookies\b.{0,240}",
        r"(?:accept|reject|allow)(?: all)?(?: cookies)?|manage (?:cookies|preferences|consent)",
    ),
    _rule(
        "page tool",
        Effect.LINE,
        r"\d+[ -]min(?:ute)?s?(?: read)?",
        r"reading time.{0,20}",
        r"listen(?: to (?:this )?(?:article|story))?(?: \d+:\d+)?",
        r"text size.{0,10}",
        r"loading",
        r"(?:show|load|see|view) (?:more|all|less)",
        r"(?:play|mute|pause)",
        r"print(?: this (?:page|article))?",
        r"bookmark(?: this)?",
        r"(?:tags?|topics?|keywords|filed under)\s*:.{1,200}",
        r"\d[\d.,]*k? views?",
        r"gift this article",
        r"report (?:an error|a typo).{0,60}",
    ),
)

# Words of share bars that are words of their own in prose and poems: they go only beside a certain share line.
_WEAK_SHARE = re.compile(r"(?:x|e-?mail|print|save|bookmark|more|messenger|threads|viber|vk|share|link)\d*", re.I)
_UNSURE = frozenset({"navigation", "page tool"})
_QUOTES = str.maketrans({"‘": "'", "’": "'", "`": "'", "´": "'", "“": '"', "”": '"', "\u02bc": "'"})
_SENTENCE_END = re.compile(r"[.!?…。！？؟։।][\"'’”»)\]]*\Z")
_LONGEST_DOUBLED = 300
_LONGEST_PITCH = 20


def find_rule(line: str) -> Rule | None:
    """The first rule that the whole line matches."""
    plain = line.translate(_QUOTES).strip()
    if not plain or len(plain) > 600:
        return None
    return next((rule for rule in RULES if rule.pattern.fullmatch(plain)), None)


def is_prose(line: str) -> bool:
    """Whether a line reads as a paragraph of an article: at least 12 words and an end, or at least 30 words."""
    # Scripts without spaces have no words to count: six characters stand for one.
    words = max(len(line.split()), sum(char >= "\u0e00" for char in line) // 3)
    return words >= 30 or (words >= 12 and _SENTENCE_END.search(line) is not None)


def without_furniture(lines: Iterable[str], title: str = "") -> tuple[list[str], bool]:
    """The lines that belong to the article, blank ones among them, and whether the page has furniture.

    What drops all that follows does so only after a paragraph of prose: above the article, the same words are a menu
    or a box, and go alone. A short line that stands there twice in a row is a caption with its alternative text: both
    go. Text in which no rule matches, or only single words that may well be headings, comes back as it is.
    """
    source = [line.strip() for line in lines]
    rules = [find_rule(line) for line in source]
    if not _is_page(rules):
        return source, False
    dropped = _weak_share_lines(source, rules) | _below_labels(source, rules) | _doubled(source, title)
    kept: list[str] = []
    seen_prose = False
    for index, (line, rule) in enumerate(zip(source, rules, strict=True)):
        if rule is not None and rule.effect is Effect.REST and seen_prose:
            break
        if rule is None and index not in dropped:
            seen_prose = seen_prose or is_prose(line)
            kept.append(line)
    return kept, True


def _is_page(rules: Sequence[Rule | None]) -> bool:
    """Whether the matches show a page: 'Home' or 'Search' may be headings of an essay, three of them are a menu."""
    names = [rule.name for rule in rules if rule is not None]
    return any(name not in _UNSURE for name in names) or len(names) >= 3


def _below_labels(lines: Sequence[str], rules: Sequence[Rule | None]) -> set[int]:
    """The pitch under 'Subscribe to our newsletter', the headline under 'Read more': never a whole paragraph."""
    found: set[int] = set()
    label: Rule | None = None
    crosses_blank = False
    for index, (line, rule) in enumerate(zip(lines, rules, strict=True)):
        if rule is not None:
            label, crosses_blank = rule, line.endswith(":") and rule.effect is Effect.TEASER
        elif not line:
            label = label if crosses_blank else None
        elif label is not None:
            pitch = label.effect is Effect.BLOCK and len(line.split()) <= _LONGEST_PITCH
            headline = label.effect is Effect.TEASER and not is_prose(line) and not _SENTENCE_END.search(line)
            if pitch or headline:
                found.add(index)
            if not pitch:
                label = None
    return found


def _doubled(lines: Sequence[str], title: str) -> set[int]:
    """Lines that stand there twice in a row: both, or for the title and for long paragraphs the second one."""
    filled = [index for index, line in enumerate(lines) if line]
    found: set[int] = set()
    for first, second in pairwise(filled):
        if lines[first] == lines[second]:
            keep_one = lines[first] == title or len(lines[first]) > _LONGEST_DOUBLED
            found |= {second} if keep_one else {first, second}
    return found


def _weak_share_lines(lines: Sequence[str], rules: Sequence[Rule | None]) -> set[int]:
    """Lines such as 'X' or 'Print' whose neighbour, blank lines aside, is a share line."""
    found: set[int] = set()
    near = False
    filled = [index for index, line in enumerate(lines) if line.strip()]
    for order in (filled, filled[::-1]):
        for index in order:
            rule = rules[index]
            if rule is not None:
                near = rule.name == "share bar"
            elif near and _WEAK_SHARE.fullmatch(lines[index].strip()):
                found.add(index)
            else:
                near = False
        near = False
    return found
