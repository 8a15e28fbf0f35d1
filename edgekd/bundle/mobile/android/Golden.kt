package edgekd

import kotlin.math.abs

/** Holds answers against every row of `golden.tsv` and says what differs; an empty list is the proof. */
fun checkGolden(open: Open, tolerance: Double, answer: (String) -> Answer): List<String> =
    readLines(open, "golden.tsv").drop(1).mapIndexedNotNull { number, line ->
        val row = line.split('\t')
        answer(readJsonString(row[0])).differs(row, tolerance)?.let { "golden.tsv:${number + 2}: $it" }
    }

fun compareIds(column: String, ids: IntArray): String? {
    val golden = column.split(' ').filter { it.isNotEmpty() }.map { it.toInt() }
    return if (ids.toList() == golden) null else "ids ${ids.toList()}, expected $golden"
}

fun compareNumbers(column: String, numbers: FloatArray, tolerance: Double): String? {
    val golden = column.split(' ').filter { it.isNotEmpty() }.map { it.toDouble() }
    if (golden.size != numbers.size) return "${numbers.size} logits, expected ${golden.size}"
    val far = golden.zip(numbers.toList()).maxOfOrNull { (wanted, own) -> abs(wanted - own) } ?: 0.0
    return if (far <= tolerance) null else "a logit is $far away"
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
