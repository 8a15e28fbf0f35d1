package edgekd

import kotlin.math.exp

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
}
