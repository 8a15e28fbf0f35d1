import edgekd.Answer
import edgekd.Open
import edgekd.Row
import edgekd.Settings
import edgekd.Tokenizer
import edgekd.readGolden
import edgekd.readLines
import java.io.File
import kotlin.math.abs

/**
 * Cuts every text of a folder's golden.tsv, makes the answer of the row's logits where it has them, and says how many
 * come out as they should.
 */
fun main(arguments: Array<String>) {
    val open: Open = { File(arguments[0], it).inputStream() }
    val settings = Settings(readLines(open, "model.txt"))
    val labels = readLines(open, "labels.txt")
    val tokenizer = Tokenizer(open, settings)
    val rows = readGolden(open)

    fun isAnswered(row: Row): Boolean {
        if (row.logits.size != labels.size) return true // a text without an answer
        val logits = FloatArray(labels.size) { row.logits[it].toFloat() }
        val answer = Answer(row.ids.toIntArray(), logits, labels, settings)
        return answer.label == row.label && abs(answer.probability - row.probability) < 1e-5
    }

    val wrong = rows.filter { tokenizer.tokenize(it.text).toList() != it.ids || !isAnswered(it) }
    for (row in wrong.take(5)) println("${row.text}: ${tokenizer.tokenize(row.text).toList()}, expected ${row.ids}")
    println("${rows.size - wrong.size} of ${rows.size}")
}
