package edgekd

import kotlin.math.abs

/** Makes one text of a query and its candidates, which `Model.answer` takes: U+001F stands between them. */
fun joinRequest(query: String, candidates: List<String>): String =
    (listOf(query) + candidates).joinToString("\u001f") { it.replace('\u001f', ' ') }

/** Makes answers of what the model gives for ids. */
class Answerer(
    @Suppress("UNUSED_PARAMETER") open: Open,
    private val settings: Settings,
    private val tokenizer: Tokenizer,
) {
    private val half = settings.maxTokens / 2

    fun answer(request: String, run: (IntArray) -> FloatArray): Answer {
        val parts = request.split('\u001f')
        val candidates = parts.drop(1)
        val separator = settings.separator
        if (separator == null) {
            val pairs = candidates.map { readPair(parts[0], it) }
            return Answer(pairs, FloatArray(pairs.size) { run(pairs[it])[0] })
        }
        val query = tokenizer.cut(parts[0], half).ifEmpty { listOf(0) }.toIntArray()
        val room = settings.maxTokens - half - 1
        val alone = candidates.map { (listOf(separator) + tokenizer.cut(it, room)).toIntArray() }
        val first = run(query)
        val scores = alone.map { ids -> run(ids).let { vector -> vector.indices.map { vector[it] * first[it] }.sum() } }
        return Answer(listOf(query) + alone, scores.toFloatArray())
    }

    /** A query has at most half of the tokens, a candidate what is left; or the longer of both is cut. */
    private fun readPair(query: String, candidate: String): IntArray {
        if (settings.isLongestCut) {
            val asked = tokenizer.cut(query, Int.MAX_VALUE)
            val given = tokenizer.cut(candidate, Int.MAX_VALUE)
            val special = settings.pairBefore.size + settings.pairBetween.size + settings.pairAfter.size
            val first = shareRoom(asked.size, given.size, settings.maxTokens - special)
            val last = minOf(given.size, settings.maxTokens - special - first)
            val ids = settings.pairBefore + asked.take(first) + settings.pairBetween + given.take(last)
            return (ids + settings.pairAfter).toIntArray()
        }
        val start = settings.pairBefore + tokenizer.cut(query, half) + settings.pairBetween
        val room = settings.maxTokens - start.size - settings.pairAfter.size
        return (start + tokenizer.cut(candidate, room) + settings.pairAfter).toIntArray()
    }

    /** How many tokens the first of two texts keeps; the second has what is left. */
    private fun shareRoom(first: Int, second: Int, room: Int): Int {
        if (first + second <= room) return first
        val shorter = minOf(first, second, room / 2)
        return if (first > second) room - shorter else shorter
    }
}

/**
 * What is answered to a query: a score for each candidate as it came, and `order`, places from 0, the highest score
 * first, equal ones as they came. `ids` are of each run of the model.
 */
class Answer(val ids: List<IntArray>, val scores: FloatArray) {
    val order: List<Int> = scores.indices.sortedByDescending { scores[it] }

    /** Holds the answer against a row of `golden.tsv`: its columns are request, ids, scores, order. */
    fun differs(row: List<String>, tolerance: Double): String? {
        val runs = if (row[1].isEmpty() && ids.isEmpty()) emptyList<String>() else row[1].split('|')
        if (runs.size != ids.size) return "${ids.size} runs, expected ${runs.size}"
        runs.zip(ids).firstNotNullOfOrNull { (golden, own) -> compareIds(golden, own) }?.let { return it }
        compareNumbers(row[2], scores, tolerance)?.let { return it }
        val golden = row[2].split(' ').filter { it.isNotEmpty() }.map { it.toDouble() }
        val wanted = row[3].split(' ').filter { it.isNotEmpty() }.map { it.toInt() }
        // Candidates may change places where their golden scores differ, but not by more than rounding moves two.
        val isOrder = wanted.size == order.size && wanted.zip(order).all { (place, own) ->
            val apart = abs(golden[place] - golden[own])
            place == own || (apart > 0 && apart <= 2 * tolerance)
        }
        return if (isOrder) null else "order $order, expected $wanted"
    }
}
