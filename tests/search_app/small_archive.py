"""Two dozen short articles from an invented coast, written for the tests: known words, known filters, hostile fields.

Every story from Ardlen says 'harbour', so that one query has more than one page. Titles, ids and URLs at the end of
the list hold what an archive from strangers may hold.
"""

from __future__ import annotations

from datetime import UTC, datetime

from indexer.article import Article

__all__ = ["ARTICLES"]

_HARBOUR_STORIES = (
    ("lighthouse", "Lighthouse keeper retires after forty years", "Culture", "Ardlen Courier", "Mira Holm",
     "2023-02-11",
     "The last lighthouse keeper on the Ardlen coast handed over her keys on Saturday.\n\n"
     "Edda Rasmussen lit the lamp above the harbour every evening for forty years. From Monday a computer on the "
     "mainland will do the work.\n\nShe will keep the cottage, and a telescope."),
    ("dredging", "Council votes to dredge the harbour mouth", "Politics", "Ardlen Courier", "Jon Vale", "2023-03-02",
     "The town council voted seven to four for dredging on Thursday.\n\n"
     "Larger ferries could enter the harbour at low tide once the channel is two metres deeper. Opponents fear for "
     "the eelgrass beds and asked for a study of the sediment first."),
    ("ferry-strike", "Ferry crews walk out over rosters", "Business", "Coast Radio", "Lena Brandt", "2023-03-20",
     "No ferry left the harbour on Monday after crews stopped work at midnight.\n\n"
     "The union says the new rosters leave nine hours between shifts. Talks with the company resume on Wednesday with "
     "a state mediator at the table."),
    ("strike-ends", "Ferry strike ends without a mediator", "Business", "Coast Radio", "Lena Brandt", "2023-03-24",
     "The ferries sail again from Friday.\n\n"
     "Union and company settled the dispute over rosters directly, without a mediator, in a meeting at the harbour "
     "office that lasted until dawn. Both sides praised the tone of the talks."),
    ("oysters", "Oyster farmers blame warm water for losses", "Science", "Ardlen Courier", "Mira Holm", "2023-06-30",
     "A third of the young oysters in the outer harbour died in June.\n\n"
     "Biologists measured water of twenty-three degrees, four more than the average. Farmers want to move the "
     "baskets to deeper ground."),
    ("regatta", "Record field for the midsummer regatta", "Sport", "Ardlen Courier", "Piet Nyberg", "2023-06-21",
     "One hundred and twelve boats crossed the line at the midsummer regatta.\n\n"
     "The wooden class was won by the cutter Fulmar, built in the harbour in 1931 and restored over ten winters."),
    ("smuggling", "Customs find tobacco under frozen herring", "Crime", "Coast Radio", "Jon Vale", "2023-09-05",
     "Customs officers opened a lorry at the harbour gate and found four tonnes of untaxed tobacco.\n\n"
     "It lay under a layer of frozen herring. The driver, who is fifty-one, said that he knew of the fish only."),
    ("storm", "Storm surge floods the old town", "Weather", "Coast Radio", "Lena Brandt", "2023-10-21",
     "The highest water since 1962 reached the fish market on Saturday night.\n\n"
     "Pumps ran in ninety cellars around the harbour. Nobody was hurt, and the sandbags were laid by volunteers from "
     "the rowing club."),
    ("barrier", "Engineers present plan for a flood barrier", "Politics", "Ardlen Courier", "Jon Vale", "2023-11-15",
     "Three gates of steel would close the harbour within twenty minutes.\n\n"
     "The engineers put the cost at eighty million crowns. A decision on the flood barrier is due in spring."),
    ("cathedral", "Cathedral organ sounds again", "Culture", "Ardlen Courier", "Mira Holm", "2023-12-07",
     "The cathedral organ was played on Thursday for the first time since the fire.\n\n"
     "Craftsmen replaced two thousand pipes in a workshop by the harbour. The first concert was free."),
    ("election", "Recount confirms mayor by nineteen votes", "Politics", "Ardlen Courier", "Jon Vale", "2024-05-14",
     "Mayor Tove Lindqvist stays in office.\n\n"
     "The recount of all postal ballots gave her nineteen votes more than the harbour master Arne Dahl, who "
     "congratulated her within the hour."),
    ("museum", "Shipwreck museum shows a merchant's chest", "Culture", "Coast Radio", "Piet Nyberg", "2024-06-02",
     "A chest of 1720 with brass locks is the new heart of the shipwreck museum.\n\n"
     "Divers raised it from the harbour basin in the summer of 2019. It held spectacles, a ledger and nutmeg."),
    ("tram", "Tram line to the harbour opens early", "Business", "Ardlen Courier", "Lena Brandt", "2024-08-26",
     "The first tram rolled to the harbour on Monday, two months before the date in the contract.\n\n"
     "Every seven minutes a train leaves the station. Tickets are valid on the ferries as well."),
)  # fmt: skip

_OTHER_STORIES = (
    ("wolves", "Wolf pack returns to the northern forest", "Science", "Upland Post", "Sanna Kask", "2022-11-03",
     "Camera traps recorded two adult wolves and four cubs.\n\n"
     "It is the first pack in the northern forest for a century. Shepherds receive money for fences and dogs."),
    ("school", "Village school saved by nine new pupils", "Education", "Upland Post", "Sanna Kask", "2023-01-19",
     "The village school of Hornby stays open.\n\n"
     "Nine children of families who moved from the city bring the number of pupils to twenty-four, one more than the "
     "law asks for."),
    ("vaccine", "Clinic begins trial of a malaria vaccine", "Science", "Upland Post", "Omar Reyes", "2023-04-27",
     "Two hundred volunteers receive the malaria vaccine or a placebo.\n\n"
     "The university clinic expects first results within a year. The side effects so far were a sore arm and a day "
     "of fever."),
    ("prisoners", "Neighbours exchange prisoners without mediation", "World", "Upland Post", "Omar Reyes", "2023-12-08",
     "Both governments announced the release in one joint statement.\n\n"
     "Thirty-two soldiers go home in exchange for two. The agreement was reached in direct talks, without a third "
     "country and without external mediation, the statement says.\n\n"
     "Earlier exchanges had been brokered by envoys from abroad."),
    ("brokered", "Envoys broker exchange of twelve prisoners", "World", "Upland Post", "Omar Reyes", "2022-10-04",
     "Mediation by two foreign envoys led to the exchange of twelve prisoners at the border bridge.\n\n"
     "The mediators had travelled between the capitals for a month."),
    ("budget", "Finance minister presents a budget without new debt", "Politics", "Upland Post", "", "2023-09-28",
     "For the first time in fifteen years the state plans to spend no more than it earns.\n\n"
     "The opposition calls the figures a fairy tale."),
    ("chess", "Fourteen-year-old wins national chess title", "Sport", "Upland Post", "Piet Nyberg", "2024-01-07",
     "Alma Sørensen drew the last game with black and won the title by half a point.\n\n"
     "She learned chess from her grandmother, who still beats her at blitz."),
    ("volcano", "Villages evacuated as volcano wakes", "World", "Coast Radio", "Omar Reyes", "2024-02-15",
     "Ash rose six kilometres above the crater on Thursday.\n\n"
     "Three thousand people left the villages on the southern slope in buses. Seismologists count two hundred "
     "tremors an hour."),
)  # fmt: skip

_HOSTILE = (
    Article(
        id="archive/2024/<script>alert('id')</script>?q=1&x=\"2\"#top",
        title="<script>alert('title')</script> & the \"quoted\" crocodile",
        text="A crocodile called <b>Bold</b> sat in the <script>alert('text')</script> fountain.\n\n"
        "Keepers led the crocodile home & closed the gate.",
        url="javascript:alert('url')",
        source="Gazette <img src=x onerror=alert('source')>",
        section="Odd & Ends",
        author="<script>alert('author')</script>",
        date=datetime(2024, 3, 9, 12, tzinfo=UTC),
    ),
    Article(
        id="https://upland.example/a//b/../100%25 sure/related",
        title="Balloonist crosses the strait at 100%",
        text="The balloonist landed in a barley field after eleven hours.\n\nThe flight had no date in the files.",
        url="https://upland.example/a//b",
        source="Upland Post",
    ),
    Article(
        id="rtl",
        title="منارة الميناء القديم",
        text="أضاء الحارس منارة الميناء القديم كل مساء.\n\nThe caption says: beacon of the old port.",
        source="Coast Radio",
        section="World",
        date=datetime(2024, 4, 1, tzinfo=UTC),
    ),
)

ARTICLES: tuple[Article, ...] = (
    *(
        Article(
            id=slug,
            title=title,
            text=text,
            url=f"https://news.example/{slug}.html",
            source=source,
            section=section,
            author=author or None,
            date=datetime.fromisoformat(day).replace(hour=9, tzinfo=UTC),
        )
        for slug, title, section, source, author, day, text in (*_HARBOUR_STORIES, *_OTHER_STORIES)
    ),
    *_HOSTILE,
)
