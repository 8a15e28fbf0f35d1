package edgekd

import android.content.Context
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.TensorBuffer

/** The bundle's model on LiteRT: `Model(context).answer(text)`. One thread at a time. */
class Model(context: Context) : AutoCloseable {
    private val settings = Settings(readLines(context.assets::open, "model.txt"))
    private val answerer = Answerer(context.assets::open, settings, Tokenizer(context.assets::open, settings))
    private val model = CompiledModel.create(
        context.assets,
        settings.model,
        CompiledModel.Options(Accelerator.CPU).apply { cpuOptions = CompiledModel.CpuOptions(numThreads = 1) },
    )

    /** One signature a number of tokens, shortest first; a text takes the next longer one and is padded. */
    private val buckets = settings.signatures.map { Bucket(it) }

    private inner class Bucket(val signature: Signature) {
        val ids: TensorBuffer = model.createInputBuffer(settings.input, signature.name)
        val mask: TensorBuffer = model.createInputBuffer(settings.mask!!, signature.name)
        val logits: TensorBuffer = model.createOutputBuffer(settings.output, signature.name)
        val inputs = mapOf(settings.input to ids, settings.mask!! to mask)
        val outputs = mapOf(settings.output to logits)
    }

    fun answer(text: String): Answer = answerer.answer(text, ::infer)

    private fun infer(ids: IntArray): FloatArray {
        // A text without any token gets the answer of token 0.
        val row = if (ids.isEmpty()) intArrayOf(0) else ids
        val bucket = buckets.first { it.signature.tokens >= row.size }
        val tokens = bucket.signature.tokens
        bucket.ids.writeInt(row.copyOf(tokens)) // padded with 0
        bucket.mask.writeInt(IntArray(tokens) { if (it < row.size) 1 else 0 })
        model.run(bucket.inputs, bucket.outputs, bucket.signature.name)
        return bucket.logits.readFloat()
    }

    override fun close() {
        for (bucket in buckets) listOf(bucket.ids, bucket.mask, bucket.logits).forEach { it.close() }
        model.close()
    }
}
