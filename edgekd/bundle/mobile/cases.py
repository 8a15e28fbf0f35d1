"""Texts on which ports of a tokenizer go wrong; every golden file holds them."""

CASES = (
    "",
    " ",
    "   \t \n ",
    # emoji: beyond the 16 bits of a Java character, with joiners, variation selectors, skin tones
    "🙂",
    "🙂🚚❤️‍🔥 when?",
    "👩🏽‍💻 my order 👍🏿",
    "🇯🇵🇩🇪 #️⃣ 1️⃣",
    # CJK: each ideograph is a word, kana are not
    "漫画の新刊はいつ出ますか",
    "请问我的订单在哪里？",
    "𠀋𪚥 rare ideographs",
    "ｆｕｌｌ　ｗｉｄｔｈ ｱｲｳ",
    "주문이 어디에 있나요 각힣",
    "\u1112\u1161\u11ab\u1100\u1173\u11af jamo",
    # marks that go away, in both spellings
    "caf\u00e9 na\u00efve",
    "cafe\u0301 nai\u0308ve",
    "e\u0301\u0327\u0323 stacked",
    "\u0301\u0308 alone",
    "Tiếng Việt: đơn hàng của tôi ở đâu?",
    "åäö ÅÄÖ ñ Ñ ç",
    # right to left, with marks of direction
    "أين طلبي رقم ١٢٣؟",
    "שָׁלוֹם איפה ההזמנה שלי",
    "\u202bright\u202c to \u200fleft\u200e",
    "سفارش من کجاست ۴۵۶",
    # other scripts
    "मेरा ऑर्डर कहाँ है?",
    "คำสั่งซื้อของฉันอยู่ที่ไหน",
    "আমার অর্ডার கோப்பு",
    "Где мой заказ? Ёлка й",
    "Πού είναι η παραγγελία μου; ΣΊΣΥΦΟΣ",
    "THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG 0123456789",
    # lower case that is not one to one, ligatures, letters that look like others
    "İstanbul Iğdır ıİ",
    "straße STRASSE ẞ",
    "ﬁ ﬂ ﷺ ™ ½ Ⅷ",
    "𝐀𝐁𝐂 𝒶𝒷𝒸 ⒶⒷ",
    "𐐀𐐁 Deseret",
    "ǅ ǆ ß ſ K",
    # white space and characters without a shape
    "tab\tnew\nline\r\nreturn",
    "no\u00a0break thin\u2009space ideographic\u3000space ogham\u1680mark",
    "zero\u200bwidth\u200d\u2060 soft\u00adhyphen \ufeffmark",
    "line\u2028paragraph\u2029next\u0085line",
    "null\x00bell\x07escape\x1bdelete\x7f",
    "unit\x1fseparators\x1c\x1d",
    "replaced\ufffd private\ue000 none\ufffe\U0010ffff tag\U000e0061",
    # special tokens in a text, whole, cut, in another case, side by side
    "[CLS] where [SEP] [MASK] [UNK] [PAD]",
    "[SEP]",
    "[SEP][SEP]order[CLS]",
    "[[SEP]] [sep] [ SEP ] [SEP",
    "[MASK]ing ##ing ## [UNK]",
    # punctuation
    "snake_case a-b/c `~^ $5.99 %",
    "“quoted” – dash — ‘it’s’ … ¿qué? ¡no! «sí»",
    '"quotes" and \\backslashes\\ \\n \\u0041',
    "!!!???...",
    "a.b.c@d.e",
    # the longest word, and one longer, counted in characters
    "a" * 100,
    "a" * 101,
    "é" * 100,
    "e\u0301" * 100,
    "𐐀" * 100 + " " + "𐐀" * 101,
    # long texts, which are cut at the model's number of tokens
    "x" * 300,
    "where is my order? " * 400,
    "漫画" * 500,
    "🙂" * 500,
)
