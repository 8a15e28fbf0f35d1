package edgekd

import kotlin.math.exp

/** What the model says of a text; `probability` is the label's, calibrated by the temperature. */
class Answer(val ids: IntArray, val logits: FloatArray, labels: List<String>, temperature: Double) {
    val label: String
    val probability: Double

    init {
        require(logits.size == labels.size) { "expected ${labels.size} logits, got ${logits.size}" }
        val best = logits.indices.maxByOrNull { logits[it] }!!
        label = labels[best]
        probability = 1 / logits.sumOf { exp((it.toDouble() - logits[best]) / temperature) }
    }
}
