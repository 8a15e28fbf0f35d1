package edgekd

import kotlin.math.abs
import kotlin.math.exp

/** Makes answers of what the model gives for ids. */
class Answerer(open: Open, private val settings: Settings, private val tokenizer: Tokenizer) {
    private val labels = readLines(open, "labels.txt")

    fun answer(text: String, run: (IntArray) -> FloatArray): Answer {
        val ids = tokenizer.tokenize(text)
        return Answer(ids, run(ids), labels, settings)
    }
}

/**
 * What is answered to a text: the label with the largest logit / temperature + bias, where most labels have no bias.
 * `probability` is that label's, calibrated by the temperature; the bias has no part in it.
 */
class Answer(val ids: IntArray, val logits: FloatArray, labels: List<String>, settings: Settings) {
    val label: String
    val probability: Double

    init {
        require(logits.size == labels.size) { "expected ${labels.size} logits, got ${logits.size}" }
        require(settings.bias.keys.all { it in labels.indices }) { "a bias is of no label: ${settings.bias}" }
        val best = logits.indices.maxByOrNull { logits[it] / settings.temperature + (settings.bias[it] ?: 0.0) }!!
        label = labels[best]
        probability = 1 / logits.sumOf { exp((it.toDouble() - logits[best]) / settings.temperature) }
    }

    /** Holds the answer against a row of `golden.tsv`: its columns are text, ids, logits, label, probability. */
    fun differs(row: List<String>, tolerance: Double): String? =
        compareIds(row[1], ids) ?: compareNumbers(row[2], logits, tolerance) ?: when {
            label != row[3] -> "label $label, expected ${row[3]}"
            !(abs(probability - row[4].toDouble()) <= tolerance) -> "probability $probability, expected ${row[4]}"
            else -> null
        }
}
