package edgekd

import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtSession
import android.system.Os
import java.nio.LongBuffer

/** The bundle's model on ONNX Runtime: `Model(context.assets::open).answer(text)`. One thread at a time. */
class Model(open: Open) : AutoCloseable {
    private val settings = Settings(readLines(open, "model.txt"))
    private val answerer = Answerer(open, settings, Tokenizer(open, settings))
    private val environment = run {
        Os.setenv("ORT_DISABLE_TELEMETRY", "1", true)  // read when the library loads: no events to its maker
        OrtEnvironment.getEnvironment().also { it.setTelemetry(false) }
    }
    private val session = OrtSession.SessionOptions().use { options ->
        options.setIntraOpNumThreads(1)
        // Arm's kernels for processors with SME round int8 inputs otherwise: other answers, labels too.
        options.addConfigEntry("mlas.disable_kleidiai", "1")
        environment.createSession(open(settings.model).use { it.readBytes() }, options)
    }

    fun answer(text: String): Answer = answerer.answer(text, ::infer)

    private fun infer(ids: IntArray): FloatArray {
        // A text without any token gets the answer of token 0.
        val row = if (ids.isEmpty()) longArrayOf(0) else LongArray(ids.size) { ids[it].toLong() }
        val shape = longArrayOf(1, row.size.toLong())
        return OnnxTensor.createTensor(environment, LongBuffer.wrap(row), shape).use { input ->
            session.run(mapOf(settings.input to input), setOf(settings.output)).use { result ->
                val values = (result[0] as OnnxTensor).floatBuffer
                FloatArray(values.remaining()).also { values.get(it) }
            }
        }
    }

    override fun close() = session.close()
}
