import edgekd.Open
import edgekd.Settings
import edgekd.Tokenizer
import edgekd.readGolden
import edgekd.readLines
import java.io.File

/** Cuts every text of a folder's golden.tsv and says how many come out as they should. */
fun main(arguments: Array<String>) {
    val open: Open = { File(arguments[0], it).inputStream() }
    val tokenizer = Tokenizer(open, Settings(readLines(open, "model.txt")))
    val rows = readGolden(open)
    val wrong = rows.filter { tokenizer.tokenize(it.text).toList() != it.ids }
    for (row in wrong.take(5)) println("${row.text}: ${tokenizer.tokenize(row.text).toList()}, expected ${row.ids}")
    println("${rows.size - wrong.size} of ${rows.size}")
}
