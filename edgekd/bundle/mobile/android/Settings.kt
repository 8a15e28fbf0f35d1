package edgekd

import java.io.InputStream

/** Opens a file of the bundle by its name, as `context.assets::open` does. */
typealias Open = (String) -> InputStream

/** Reads lines of UTF-8. A line ends at a line feed alone: a token may hold any other character. */
fun readLines(open: Open, name: String): List<String> =
    open(name).use { it.readBytes() }.toString(Charsets.UTF_8).removeSuffix("\n").split('\n')

/** A token that stands for itself in a text. */
class Added(val id: Int, val text: String)

/** LiteRT: one way to call the model, for texts of at most so many tokens. */
class Signature(val tokens: Int, val index: Int, val name: String)

/** What `model.txt` says: lines of a key, one space, and a value. */
class Settings(lines: List<String>) {
    private val values =
        lines.filter { ' ' in it }.groupBy({ it.substringBefore(' ') }, { it.substringAfter(' ') })

    private fun all(key: String): List<String> = values[key] ?: emptyList()

    private fun one(key: String): String = all(key).single()

    val model = one("model")
    val input = one("input")
    val mask = all("mask").firstOrNull()
    val output = one("output")
    val signatures = all("signature").map { line ->
        val (tokens, index, name) = line.split(' ', limit = 3)
        Signature(tokens.toInt(), index.toInt(), name)
    }
    val maxTokens = one("max_tokens").toInt()
    val before = all("before").map { it.toInt() }
    val after = all("after").map { it.toInt() }

    /** Of a model that ranks pairs: the ids before the query, between it and the candidate, and after that. */
    val pairBefore = all("pair_before").map { it.toInt() }
    val pairBetween = all("pair_between").map { it.toInt() }
    val pairAfter = all("pair_after").map { it.toInt() }

    /** Whether what is too long for a pair is cut off the longer of both; else the query has at most half. */
    val isLongestCut = all("cut").firstOrNull() == "longest"

    /** Of a model that ranks by the product of two vectors: what a candidate begins with. */
    val separator = all("separator").firstOrNull()?.toInt()
    val unknown = one("unknown").toInt()
    val prefix = one("prefix")
    val longestWord = one("longest_word").toInt()
    val added = all("added").map { Added(it.substringBefore(' ').toInt(), it.substringAfter(' ')) }

    /** What logits of labels are divided by. */
    val temperature = all("temperature").firstOrNull()?.toDouble() ?: 1.0

    /** What is added to logit / temperature of a label, by its place in labels.txt, where one is chosen. */
    val bias = all("bias").associate { it.substringBefore(' ').toInt() to it.substringAfter(' ').toDouble() }
    val tolerance = one("tolerance").toDouble()
}
