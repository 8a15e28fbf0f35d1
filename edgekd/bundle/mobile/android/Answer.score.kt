package edgekd

import kotlin.math.abs
import kotlin.math.exp

/** Makes answers of what the model gives for ids. */
class Answerer(
    @Suppress("UNUSED_PARAMETER") open: Open,
    @Suppress("UNUSED_PARAMETER") settings: Settings,
    private val tokenizer: Tokenizer,
) {
    fun answer(text: String, run: (IntArray) -> FloatArray): Answer {
        val ids = tokenizer.tokenize(text)
        return Answer(ids, run(ids))
    }
}

/** What is answered to a text: a number from 0 to 1, the sigmoid of the model's one output. */
class Answer(val ids: IntArray, val logits: FloatArray) {
    val score: Double

    init {
        require(logits.size == 1) { "expected one logit, got ${logits.size}" }
        score = 1 / (1 + exp(-logits[0].toDouble()))
    }

    /** Holds the answer against a row of `golden.tsv`: its columns are text, ids, logit, score. */
    fun differs(row: List<String>, tolerance: Double): String? =
        compareIds(row[1], ids) ?: compareNumbers(row[2], logits, tolerance) ?: when {
            !(abs(score - row[3].toDouble()) <= tolerance) -> "score $score, expected ${row[3]}"
            else -> null
        }
}
