"""The texts that the real Spark NLP was recorded on; all of them were written for this project."""

from tests.peers import random_texts

SEED = 20
NUM_RANDOM = 30

PROSE = [
    "The ferry left at 6.45 a.m. and reached the island before nine. Nobody met us at the pier; the café was closed.",
    "Mr. Alder and Mrs. Finch bought the mill in Sept. 1987 for $17,000. They sold it in 2003, for £1.2m, to Dr. Reed.",
    '"Where have you been?" she asked. "In the garden," he said. "It\'s raining, isn\'t it?" She didn\'t answer.',
    "The U.S. office opened in 1979. The U.K. office, however, closed again at the end of 1999. Nobody knows why.",
    "Wages rose by 3.5% in May, 2.25% in June and 0.5% in July. Prices (food, rent, fuel) rose faster!",
    "Prof. Okafor of St. Mary's wrote: 'We don't know.' Her colleagues agreed. So did the minister.",
    "We counted 1,000 birches, 2,500 pines, etc. The rest was not counted. Was it worth it? Perhaps...",
    "At first the river was quiet... Then it rose. By 10 p.m. the bridge was under water, and by 11 it was gone.",
    "The well-known writer (born 1949) lived here with her mother-in-law. Their house is a museum now (open daily).",
    "Send your letter to post@example.com or visit www.example.com/help. Do not call before 8:30!",
    "Acme Co. and Finch Bros. Ltd. merged in Jan. The new firm, Acme & Finch Inc., sells e.g. nails, i.e. hardware.",
    "He ran 10.5 km in 52 min. She ran it in 49. Both were tired, i.e. they slept until noon.",
    "J. R. Hale met A. B. Cole at the station. Cole was late. Hale wasn't.",
    "The list is short: 1. bread 2. apples 3. a newspaper. That is all (a) for me and (b) for him.",
    "Is it true?! Yes! No? Well, who knows... The price went from $5 to $7.50, didn't it?",
    "Temperatures fell to -7.5 degrees on 3.1.2010; the lake froze. Children skated; dogs watched.",
    "The committee (see p. 12, No. 4 and vol. 3) met twice. Its report, dated Feb. 5, is 300 pp. long.",
    "\u201cCurly quotes,\u201d she said, \u201caren\u2019t the same.\u201d He left \u2013 why \u2014 and ran\u2026",
    "Zoë's naïve résumé cost €5.50; Łukasz paid ½ of it. The façade in Tromsø is Æsop's, isn't it?",
    "Das Schiff fährt um 7 Uhr. Es kommt spät an! Где он? Не знаю. ΤΕΛΟΣ. 東京は雨です。 Es war 20°C.",
]

TRICKY = [
    "One. Two; three",
    "Really?! Yes! No ! ?",
    "It cost $5!$ or less",
    "He has 3.14 of .5 and v2.x there.",
    "1. First  2. Second 3.) Third",
    "See (a) this (b) that and (words)",
    "a) this (ii) that",
    "12. months",
    "-7. Below -8. Lower",
    "Ask Dr.:5 now.",
    "Apples etc. are sweet. Pears etc. Grow.",
    "Inc. is, e.g., i.e. as is. Inc.-like Co. An inc.-like co. I'm in.",
    "The U.S.A. is big. The U.S. And I.",
    "At 5 p.m. sharp. At 6 P.M. All.",
    "The U.S.'s law. The firm.'s",
    "See example.com or file.txt now.",
    "At N°. 1026.253.553 here.",
    "Well...Then. Well... Then. Well.... Then",
    'He said "Go. Now!" twice.',
    "He said 'Go. Now.' twice.",
    "Don't. Can't. 'Tis. O'Neill's.",
    "It (see five. Or six.) ends [here. Or there.] so.",
    "It (see p. five. Or six.) so.",
    "Tab.\tNewline\nno end.\r\nAgain.",
    "  \t lead and trail.   \x1f",
    "🙂. é! 中文. \U00010400.",
    '(He said "hi!"). what?! ... U.N. 1996-08-21 e-mail@x.com,',
    "I'd say Jane's didn't, can't, won't -- rock'n'roll -- o'clock.",
    "a\u00a0b\u2009c \u2028.d \u2028. e\x85-",
    "a\u200bb \u200b c\u200d \ufeffd \u00ad e\u0301f",
    "x\x00y z\x7f \x1c w",
    "New York is new; New York, N.Y. is not. The e-mail went to Mr. Jones of the U.S. team.",
    "-a-b-c- d--e /f/g/ h-i/j' 'k",
    "#1 @you $5 5$ %x 50% a&b ~c~ `d` <e> {f} |g| h_i j^k l\\m n=o +p *q*",
    "....... !!! ??? ;;; ,,, --- ((( ))) \"\"\" '''",
    "\u2026 \u2014 \u2018x\u2019 \u201cy\u201d \u00abz\u00bb \u00bfq? \u00a1r!",
    "日本語のテキスト。 한국어 텍스트입니다. العربية؟ שלום.",
    "İstanbul ǅ ß ﬁne ＦＵＬＬ ½ ² ٣ १२ ⅷ",
    "👍🏽 👨\u200d👩\u200d👧 🇩🇪 𝒜𝒷𝒸 x🙂y",
    "M$ x. U$A. a|b. \\d+ (?:x) [^y] $1 {2}",
    "abcdefghijklmnopqrstuvwxyz0123456789 incomprehensibilities so. a",
    "word " * 20 + "end.",
    "A.B.C. D.E. f.g. h.",
    "Ph.D. B.A. vs. M.Sc. cf. pp. 3-5, ed. No.5 no. 6 p.7",
    "i.e. e.g. etc. a.m. p.m. A.M. P.M. approx. est.",
    "Wait... what? No... Yes...! Hm...?",
    "a;b;c; d ; e",
    "line one--line two--line three\nline four; line five",
    ".",
    "!",
    "'",
    "-",
    "a",
    " ",
    "\n",
    "🙂",
    "...",
]


def all_texts() -> dict[str, str]:
    """Return every text by its id."""
    made = [*random_texts.texts(NUM_RANDOM, SEED), *random_texts.prose(NUM_RANDOM // 2, SEED)]
    groups = {"prose": PROSE, "tricky": TRICKY, "random": made}
    return {f"{group}-{number}": text for group, texts in groups.items() for number, text in enumerate(texts)}
