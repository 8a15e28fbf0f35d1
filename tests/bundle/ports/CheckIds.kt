import edgekd.Answerer
import edgekd.Open
import edgekd.Settings
import edgekd.Tokenizer
import edgekd.readJsonString
import edgekd.readLines
import java.io.File

/**
 * Cuts every text of a folder's golden.tsv and makes the answer of the row's logits, then cuts those of texts.tsv, and
 * says how many come out as they should.
 */
fun main(arguments: Array<String>) {
    val open: Open = { File(arguments[0], it).inputStream() }
    val settings = Settings(readLines(open, "model.txt"))
    val tokenizer = Tokenizer(open, settings)
    val answerer = Answerer(open, settings, tokenizer)
    val wrong = ArrayList<String>()
    val golden = readLines(open, "golden.tsv").drop(1).map { it.split('\t') }
    for (row in golden) {
        val logits = row[2].split(' ').map { it.toFloat() }.toFloatArray()
        answerer.answer(readJsonString(row[0])) { logits }.differs(row, 1e-5)?.let { wrong.add("${row[0]}: $it") }
    }
    val texts = readLines(open, "texts.tsv").map { it.split('\t') }
    for ((text, ids) in texts) {
        val found = tokenizer.tokenize(readJsonString(text)).joinToString(" ")
        if (found != ids) wrong.add("$text: $found, expected $ids")
    }
    wrong.take(5).forEach(::println)
    println("${golden.size + texts.size - wrong.size} of ${golden.size + texts.size}")
}
