package edgekd

/**
 * From a text to token ids: BERT's WordPiece, over the bundle's own tables.
 *
 * Nothing here asks the platform about characters: what it knows of Unicode differs between versions. A
 * character is a code point; Java's `Char` is half of one beyond U+FFFF.
 */
class Tokenizer(open: Open, private val settings: Settings) {
    private val vocabulary = HashMap<String, Int>()
    private val firsts: IntArray
    private val lasts: IntArray
    private val kinds: List<String>

    init {
        readLines(open, "vocab.txt").forEachIndexed { id, token -> vocabulary[token] = id }
        val lines = readLines(open, "characters.txt").filter { it.isNotEmpty() }.map { it.split(' ', limit = 3) }
        firsts = IntArray(lines.size) { lines[it][0].toInt(16) }
        lasts = IntArray(lines.size) { lines[it][1].toInt(16) }
        kinds = lines.map { it[2] }
    }

    /** Returns the ids of a text, at most `max_tokens`. */
    fun tokenize(text: String): IntArray {
        val room = settings.maxTokens - settings.before.size - settings.after.size
        return (settings.before + cut(text, room) + settings.after).toIntArray()
    }

    /** Returns the ids of a text without any around them, at most `room`. */
    fun cut(text: String, room: Int): List<Int> {
        val ids = ArrayList<Int>()
        val word = StringBuilder()
        var at = 0
        while (at < text.length && ids.size < room) {
            val token = settings.added.firstOrNull { text.startsWith(it.text, at) }
            if (token != null) {
                endWord(word, ids)
                ids.add(token.id)
                at += token.text.length
            } else {
                val point = text.codePointAt(at)
                treat(point) { put(it, word, ids) }
                at += Character.charCount(point)
            }
        }
        endWord(word, ids)
        return ids.take(room)
    }

    /** Gives on what a character becomes, as its line of `characters.txt` says. */
    private inline fun treat(point: Int, give: (Int) -> Unit) {
        val place = firsts.binarySearch(point).let { if (it < 0) -it - 2 else it }
        if (place < 0 || point > lasts[place]) {
            give(point)
            return
        }
        val kind = kinds[place].substringBefore(' ')
        val rest = kinds[place].substringAfter(' ')
        when (kind) {
            "drop" -> {}
            "space" -> give(SPACE)
            "alone" -> { give(SPACE); give(point); give(SPACE) }
            "add" -> give(point + rest.toInt())
            "hangul" -> { // Unicode Standard, 3.12
                val syllable = point - 0xAC00
                give(0x1100 + syllable / 588)
                give(0x1161 + syllable % 588 / 28)
                if (syllable % 28 > 0) give(0x11A7 + syllable % 28)
            }
            else -> for (code in rest.split(' ')) give(code.toInt(16)) // = and code points
        }
    }

    private fun put(point: Int, word: StringBuilder, ids: MutableList<Int>) {
        if (point == SPACE) endWord(word, ids) else word.appendCodePoint(point)
    }

    /** Cuts a word into the longest known pieces from the left; one unknown makes all of it unknown. */
    private fun endWord(word: StringBuilder, ids: MutableList<Int>) {
        if (word.isEmpty()) return
        val whole = word.toString()
        word.setLength(0)
        val known = vocabulary[whole]
        if (known != null || whole.codePointCount(0, whole.length) > settings.longestWord) {
            ids.add(known ?: settings.unknown)
            return
        }
        val pieces = ArrayList<Int>()
        var start = 0
        while (start < whole.length) {
            val head = if (start > 0) settings.prefix else ""
            var end = whole.length
            var piece = vocabulary[head + whole.substring(start, end)]
            while (piece == null) {
                end = whole.offsetByCodePoints(end, -1)
                if (end == start) {
                    ids.add(settings.unknown)
                    return
                }
                piece = vocabulary[head + whole.substring(start, end)]
            }
            pieces.add(piece)
            start = end
        }
        ids.addAll(pieces)
    }

    private companion object {
        const val SPACE = 0x20
    }
}
