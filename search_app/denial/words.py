"""The words by which English denies things: in queries, and in the sentences of articles.

After NegEx (Chapman, Bridewell, Hanbury, Cooper and Buchanan 2001, "A simple algorithm for identifying negated findings
and diseases in discharge summaries"), with cues of news instead of clinical notes. All are lower case.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = [
    "ABSENCE_ADJECTIVES",
    "ABSENCE_VERBS",
    "AUXILIARIES",
    "BEFORE_NOUN",
    "CLAIMING",
    "CLAUSE_WORDS",
    "DANGLING",
    "DOUBT",
    "ENDING",
    "EXCEPTING",
    "FIXED",
    "FOLLOWING_VERBS",
    "HYPOTHETICAL",
    "IMPLIED",
    "IMPLYING",
    "LEADING",
    "METONYMS",
    "NOT_LESS",
    "NOT_NON",
    "NOT_UN",
    "PARTICIPLES",
    "PAST",
    "PAST_AUXILIARIES",
    "PREPOSITIONS",
    "PSEUDO",
    "QUERY_CUES",
    "QUERY_STOPS",
    "RELATIVES",
    "SUBJECTS",
    "UNDOING",
    "UNDONE",
    "VERBAL",
    "VERBAL_QUERY_CUES",
    "Phrases",
    "by_first_word",
    "matched",
]


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


Phrases = dict[str, tuple[tuple[str, ...], ...]]
"""Phrases as tuples of words, by their first word, longest first."""


def _phrases(listed: str) -> Phrases:
    """The phrases of a list that parts them by '|'."""
    return by_first_word(tuple(phrase.split()) for phrase in listed.split("|"))


def by_first_word(listed: Iterable[tuple[str, ...]]) -> Phrases:
    """The phrases, as `matched` looks for them."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for phrase in sorted(listed, key=len, reverse=True):
        found.setdefault(phrase[0], []).append(phrase)
    return {first: tuple(phrases) for first, phrases in found.items()}


def matched(phrases: Phrases, words: Sequence[str], at: int) -> int:
    """The number of words of the longest of `phrases` that begins at a word; 0 if none does."""
    for phrase in phrases.get(words[at], ()):
        if tuple(words[at : at + len(phrase)]) == phrase:
            return len(phrase)
    return 0


QUERY_CUES = _phrases(
    "without|with no|without any|with zero|with neither|with none of the|free of|free from|devoid of|lacking|lacks|"
    "lacked|lack of|lacking in|absence of|in the absence of|in absence of|except|except for|excepting|excluding|"
    "apart from|other than|instead of|rather than|but not|but no|nothing of|none of|none of the|"
    "no|not|never|nobody|no one|none|neither|nothing|barring|aside from|save for|with the exception of|"
    "in place of|in lieu of|minus its|minus his|minus her|minus the|sans|clear of|rid of|short of|"
    "not including|not counting|not a single|not one|no such|"
    "with not a single|without a single|with nobody|with no one|with nothing|with none of its|none of its|"
    "excludes|excluded|omits|omitting|omitted|leaves out|leaving out|left out|skips|skipped|skipping|"
    "avoids|avoid|avoided|avoiding|missing its|missing their|absent|nowhere to be seen|nowhere|unaccompanied by|"
    "untouched by|unaffected by|unsupported by|unassisted by|unaided by|independent of|but not for|but not in"
)
"""What denies in a query; what follows is denied."""

VERBAL_QUERY_CUES = _phrases(
    "failed to|fails to|fail to|failing to|failure to|refused to|refuses to|refuse to|refusing to|declined to|"
    "declines to|declining to|unable to|not able to|would not|cannot|not to be"
)
"""What denies the verb that follows in a query: 'rocket failed to reach orbit'."""

PAST_AUXILIARIES = _words("did was were had has have would could")
"""Auxiliaries of events; what 'is' or 'does' not is a claim about how things are."""

SUBJECTS = _words("nobody none neither no nothing")
"""Cues that stand for who or what does something: 'jackpot that nobody won', 'backed by neither'."""

ENDING = _phrases("nobody|no one|none|neither|nothing|excluded|omitted|left out|skipped|avoided")
"""Cues that may end a query: 'summit attended by nobody', 'talks with Russia excluded'."""

LEADING = _words(
    "a an the any of its their his her our your my to in on at by for from with been be being is are was were has "
    "have had ever yet either side single do does did will would can could"
)
"""Words before the first one that says what is denied."""

DANGLING = _words(
    "that which where with who and or but in whom whose left has had have having being was were is are did does do "
    "would will could can to of by despite its their when while so as"
)
"""Words that lead to the denied part and are none of the affirmed one's."""

EXCEPTING = _words("except excepting apart other aside save barring but")
"""First words of cues that make an exception of what follows."""

FOLLOWING_VERBS = _words(
    "wins opens closes gets goes takes reopens begins starts ends leaves arrives crosses lands sinks dies kills hits "
    "becomes remains passes loses beats draws makes gives comes says stays keeps faces sets sells buys finds sees "
    "brings joins quits resigns retires returns resumes survives succeeds collapses fails rises falls wows"
)
"""Verbs of headlines that end the denied part: 'film with no dialogue wins prize'."""

QUERY_STOPS = _words(
    "after before during since until when while despite because but as that which who in at on for near amid following "
    "although though if within outside inside across where with"
)
"""Words at which the denied part of a query ends, once it has a word of its own."""

PREPOSITIONS = _words("by on in at to from with for into under")
"""What follows a participle, whatever its form: 'not broadcast on television'."""

RELATIVES = _words("that which who whose where when whom how why")
"""Words after which a finite verb belongs to a clause that qualifies a noun, not to a claim."""

CLAIMING = _words(
    "says said say saying sees saw denies denied claims claimed insists vows warns tells told expects confirms report:"
)
"""Verbs of headlines after which a cue makes a claim: 'bank says no decision made'."""

AUXILIARIES = _words(
    "is are was were be am has have had do does did will would can could may might must should shall isn't aren't "
    "wasn't weren't hasn't haven't hadn't don't doesn't didn't won't can't cannot"
)

PARTICIPLES = _words(
    "made held built sent paid put told taken given shown seen found brought bought caught left lost led met read run "
    "said sold set shot cut hit hurt kept known won written driven chosen drawn grown spoken stolen sworn broken "
    "beaten "
    "broadcast cast paid spent seen heard sung bound dealt fed felt bred lent laid spread split sat "
    "born done begun sought taught fought struck understood invited backed by from involving including requiring "
    "needing using under due subject in"
)
"""What may follow 'not' and 'never' in a query that denies, besides words in -ed and -ing."""

_UNDECIDED = "if not|whether or not|with or without|with and without|yes or no|yes and no"
"""Phrases that leave open what they name, in queries and in articles."""

FIXED = _phrases(
    "doctors without borders|reporters without borders|doctors without frontiers|without borders|without doubt|"
    "without fail|without question|without precedent|rebel without a cause|man without a country|no. |"
    "no confidence|no doubt|no longer|no more|no man's land|no matter|no joke|no surprise|no wonder|no deal|no fly|"
    "no go|no show|no fault|no contest|no time to die|no country for old men|no way out|no man's sky|no way home|"
    "no comment|no end|no brainer|no nonsense|no limits|not guilty|not only|not just|not to|not so|not for profit|"
    "not proven|not least|not yet|not even|not without|never without|no lack of|no absence of|not lacking|not free|"
    "not a|not the|not an|not all|not any|never say never|never let me go|never again|never mind|never ending|"
    "neverending|nothing compares|nothing but|none other|no fewer|no less|no later|no better|no sooner|"
    "all quiet|no win no fee|no strings attached|or not|why not|last but not least|" + _UNDECIDED
)
"""Names and compounds with a cue in them that deny nothing, or not what follows."""

NOT_UN = _words(
    "united unites unit uniting unified unidentified unprecedented unemployed unexpected unlimited "
    "uncovered unveiled undefeated unleashed unfolded unrelated "
    "uneven unchanged unconfirmed untapped unseated unbeaten unearthed undocumented unclaimed unrivalled "
    "untitled unloaded "
    "unraveled unravelled undone undue unspoken unwanted undisputed uninvolved"
)
NOT_NON = _words(
    "profit governmental fiction stop executive proliferation aggression league lethal aligned fungible league "
    "resident native binary dairy standard partisan stick"
)
NOT_LESS = _words(
    "homeless wireless regardless nonetheless nevertheless unless stainless careless ruthless endless countless "
    "reckless "
    "helpless hopeless useless harmless priceless relentless seamless bless restless timeless worthless fearless "
    "flawless heartless selfless tireless jobless contactless cordless needless doubtless"
)

PSEUDO = _phrases(
    "not only|not just|not merely|not least|no doubt|no fewer than|no less than|no later than|no more than|no wonder|"
    "nothing but|none other than|without doubt|without question|no sooner|not necessarily|no matter|not until|"
    "not yet clear|no. |not surprisingly|not so much|not guilty|not alone|no longer than|" + _UNDECIDED
)
"""Phrases in articles that hold a cue and deny nothing (NegEx: pseudo-negations)."""

BEFORE_NOUN = _phrases(
    "no|without|without any|neither|nor|not a|not an|not any|not one|not a single|not even|free of|free from|lack of|"
    "lacked|lacks|lacking|absence of|devoid of|instead of|rather than|zero|minus|none of|nothing of|never any|"
    "nothing to|short of|in place of|except|except for|excluding|barring|little|no such|void of|in want of|"
    "independent of|away from"
)
"""What stands before the denied noun, inside its clause; the words after it are denied."""

VERBAL = _phrases(
    "not|never|not once|nobody|no one|none|nothing|cannot|no longer|hardly|barely|at no point|at no time|no-one|nowhere"
)
"""What denies its whole clause, subject and predicate alike: 'observers had not been invited', 'cast none'."""

ABSENCE_VERBS = _phrases(
    "refused|refuses|refuse|refusing|declined|declines|decline|declining|boycotted|boycott|boycotting|rejected|rejects|"
    "reject|rejecting|dropped|drops|cancelled|canceled|abandoned|scrapped|waived|waives|waive|banned|bans|barred|"
    "forbidden|"
    "prohibited|excluded|exclude|excludes|stayed away|stay away|stays away|turned down|turns down|turn down|ran out|"
    "run out|withdrew|withdrawn|left out|ruled out|rules out|called off|failed to|fails to|fail to|avoided|avoids|"
    "avoid|"
    "skipped|skips|dispensed with|dispenses with|did away with|do away with|taken off|omitted|omits|missed|spared|"
    "denied|"
    "denies|shunned|shuns|bypassed|bypasses|sidelined|forgone|forwent|forewent|shelved|axed|spurned|snubbed|vetoed|"
    "withheld|removed|abolished|unable to|ditched|suspended|prevented|went ahead alone|kept out|shut out|sat out|"
    "gave up"
)
"""Verbs by which something is not, or not there; their clause is denied like by 'not'."""

ABSENCE_ADJECTIVES = _phrases("absent|missing|empty|gone|lacking|unavailable|nil|nonexistent|non-existent")

IMPLIED: dict[tuple[str, ...], str] = {
    tuple(phrase.split()): denied
    for phrases, denied in (
        (
            "face to face|face-to-face|between themselves|among themselves|by themselves|bilaterally|directly|"
            "bilateral|direct talks|one on one|one-on-one|two-way|just the two|direct negotiations|direct contacts",
            "mediator, mediation, third party",
        ),
        (
            "on its own|on their own|on her own|on his own|alone|single-handed|single-handedly|solo|unaided|unassisted",
            "help, escort, partner",
        ),
        ("behind closed doors|in private|privately|in secret|secretly", "public, press, spectators"),
        ("peacefully|peaceful|calmly|calm", "violence, clashes"),
        ("unanimously|unanimous|by acclamation", "opposition, votes against"),
        ("unhurt|unharmed|unscathed|safe and sound|uninjured", "injuries, casualties"),
        ("on time|on schedule|as planned|as scheduled", "delay"),
        ("free of charge|for nothing|for free", "payment, charge, fee"),
        ("by decree|by order", "vote, approval of parliament"),
        ("in silence|silently|silent", "statement, call, sound"),
        ("at once|immediately", "delay"),
        ("by hand", "machines"),
        ("improvised|improvise|ad-libbed", "script, plan"),
        ("intact|undamaged", "damage"),
        ("unconditionally|no strings", "conditions"),
        ("uncontested|unchallenged", "opponent, rival"),
        ("out of court", "trial"),
        ("overnight|out of the blue|by surprise", "warning, notice"),
    )
    for phrase in phrases.split("|")
}
"""Turns of phrase that say what is there, and so what is not: 'talked face to face' leaves no room for a mediator."""

DOUBT = _words("if whether might unless perhaps reportedly possibly")
"""What makes a statement, or its denial, less than a fact."""

IMPLYING = _phrases("|".join(" ".join(phrase) for phrase in IMPLIED))

HYPOTHETICAL = DOUBT | _words(
    "could may should offered offers offer offering hoped hopes hope proposed proposes suggested demanded demands "
    "demand "
    "urged urges wanted wants want threatened planned plans expects expected ready willing seek sought calls"
)
"""What makes a statement less than a fact; a denial with it ('could not', 'dropped a planned rise') is still one."""

PAST = _words("earlier previous previously former formerly ago usually normally past traditionally")
"""What sets a sentence apart as background to the story told."""

UNDONE = _phrases("without|lack of|lacked|lacks|lacking|absence of|devoid of|free of|free from|short of|instead of")
"""Cues that another cue right before them turns round: 'not without', 'no lack of'."""

UNDOING = _phrases("no|not|never|without|failed to|fails to|fail to|unable to|cannot|nobody|no one|none|refused to")
"""Cues that turn round one that follows them at once."""

_NATIONS = {
    "United States": "washington american americans US pentagon",
    "Russia": "moscow russian russians kremlin",
    "China": "beijing chinese",
    "Britain United Kingdom": "london british britain UK",
    "European Union": "brussels EU",
    "France": "paris french elysee",
    "Germany": "berlin german germans",
    "Turkey": "ankara turkish turks",
    "Iran": "tehran iranian iranians",
    "Israel": "israeli israelis jerusalem",
    "Ukraine": "kyiv kiev ukrainian ukrainians",
    "Armenia": "yerevan armenian armenians",
    "Azerbaijan": "baku azerbaijani azerbaijanis azeri",
    "Georgia": "tbilisi georgian",
    "India": "delhi indian indians",
    "Pakistan": "islamabad pakistani",
    "Japan": "tokyo japanese",
    "South Korea": "seoul",
    "North Korea": "pyongyang",
    "Saudi Arabia": "riyadh saudi",
    "Qatar": "doha qatari",
    "Egypt": "cairo egyptian",
    "Spain": "madrid spanish",
    "Italy": "rome italian",
    "Poland": "warsaw polish",
    "Canada": "ottawa canadian",
    "Australia": "canberra australian",
    "Brazil": "brasilia brazilian",
    "United Nations": "UN",
}
METONYMS = {name: nation for nation, names in _NATIONS.items() for name in names.split()}
"""Capitals and adjectives by which news means a state: 'Moscow was not involved'."""

CLAUSE_WORDS = _words("but although though while whereas which who whose because when until despite unlike yet however")
"""Words that begin a clause of their own: no cue reaches across them."""
