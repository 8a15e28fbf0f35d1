package edgekd

import kotlin.math.abs

/** A row of `golden.tsv`. */
class Row(val text: String, val ids: List<Int>, val logits: List<Double>, val label: String, val probability: Double)

fun readGolden(open: Open): List<Row> = readLines(open, "golden.tsv").drop(1).map { line ->
    val (text, ids, logits, label, probability) = line.split('\t')
    Row(
        readJsonString(text),
        ids.split(' ').filter { it.isNotEmpty() }.map { it.toInt() },
        logits.split(' ').map { it.toDouble() },
        label,
        probability.toDouble(),
    )
}

/** Holds answers against every row and says what differs; an empty list is the proof. */
fun checkGolden(open: Open, tolerance: Double, answer: (String) -> Answer): List<String> =
    readGolden(open).mapIndexedNotNull { number, row ->
        val found = answer(row.text)
        val far = row.logits.zip(found.logits.toList()).maxOf { (golden, own) -> abs(golden - own) }
        val differs = when {
            found.ids.toList() != row.ids -> "ids ${found.ids.toList()}, expected ${row.ids}"
            found.logits.size != row.logits.size -> "${found.logits.size} logits, expected ${row.logits.size}"
            !(far <= tolerance) -> "a logit is $far away"
            found.label != row.label -> "label ${found.label}, expected ${row.label}"
            !(abs(found.probability - row.probability) <= tolerance) ->
                "probability ${found.probability}, expected ${row.probability}"
            else -> null
        }
        differs?.let { "golden.tsv:${number + 2}: $it" }
    }

/** Reads a JSON string; a character beyond U+FFFF is two escapes in it, as it is two `Char` here. */
fun readJsonString(quoted: String): String {
    val text = StringBuilder()
    var at = 1
    while (at < quoted.length - 1) {
        val here = quoted[at++]
        if (here != '\\') {
            text.append(here)
            continue
        }
        when (val name = quoted[at++]) {
            'b' -> text.append('\b')
            'f' -> text.append('\u000c')
            'n' -> text.append('\n')
            'r' -> text.append('\r')
            't' -> text.append('\t')
            'u' -> {
                text.append(quoted.substring(at, at + 4).toInt(16).toChar())
                at += 4
            }
            else -> text.append(name)
        }
    }
    return text.toString()
}
